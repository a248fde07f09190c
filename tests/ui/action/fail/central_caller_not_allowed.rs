#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Billing;

#[xcore::plugin]
impl Billing {
    #[action(scope = "central", callers = [Catalog])]
    async fn rates(&self, app: &AppContext<Self>) -> Json<u32> {
        Json(7)
    }
}

#[xcore::plugin]
struct Catalog;

#[xcore::plugin(requires(Billing))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<Json<u32>> {
        ctx.call::<Billing>().rates().await
    }
}

fn main() {}
