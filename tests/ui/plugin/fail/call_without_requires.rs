#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Billing;

#[xcore::plugin]
impl Billing {
    #[action]
    async fn charge(&self, ctx: &BillingContext) {}
}

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<()> {
        ctx.call::<Billing>().charge().await
    }
}

fn main() {}
