#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Billing;

#[xcore::plugin]
impl Billing {
    #[action]
    async fn charge(&self, ctx: &BillingContext, Json(amount): Json<u32>) -> Json<u32> {
        Json(amount)
    }
}

#[xcore::plugin(requires(Billing))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(scope = "central")]
    async fn place(&self, app: &AppContext<Self>) -> Result<Json<u32>> {
        app.call::<Billing>().charge(Json(7)).await
    }
}

fn main() {}
