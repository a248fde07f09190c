#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(timeout = "0s")]
    async fn place(&self, ctx: &OrdersContext) {}
}

fn main() {}
