#![allow(unused)]

use xcore::prelude::*;

struct Billing;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(callers = [Billing])]
    async fn place(&self, ctx: &OrdersContext) {}
}

fn main() {}
