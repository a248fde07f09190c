#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(post = "/", stauts = 201)]
    async fn place(&self, ctx: &OrdersContext) {}
}

fn main() {}
