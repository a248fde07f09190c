#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/{order-id}")]
    async fn get(&self, ctx: &OrdersContext) {}
}

fn main() {}
