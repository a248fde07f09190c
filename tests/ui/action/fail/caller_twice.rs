#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Billing;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(callers = [Billing, Billing])]
    async fn place(&self, ctx: &OrdersContext) {}
}

fn main() {}
