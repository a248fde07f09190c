#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Billing;

#[xcore::plugin]
impl Billing {
    #[action(internal, callers = [Catalog])]
    async fn charge(&self, ctx: &BillingContext, Json(amount): Json<u32>) -> Result<Json<u32>> {
        Ok(Json(amount))
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
        ctx.call::<Billing>().charge(Json(7)).await
    }
}

fn main() {}
