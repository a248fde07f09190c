#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Billing;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &BillingContext) {}
}

fn main() {}
