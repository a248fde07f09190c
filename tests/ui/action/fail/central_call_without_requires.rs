#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Billing;

#[xcore::plugin]
impl Billing {
    #[action(scope = "central")]
    async fn rates(&self, app: &AppContext<Self>) -> Json<u32> {
        Json(7)
    }
}

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(scope = "central")]
    async fn place(&self, app: &AppContext<Self>) -> Result<Json<u32>> {
        app.call::<Billing>().rates().await
    }
}

fn main() {}
