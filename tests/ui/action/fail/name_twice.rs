#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/a")]
    async fn list(&self, ctx: &OrdersContext) {}

    #[action(get = "/b")]
    async fn list(&self, ctx: &OrdersContext) {}
}

fn main() {}
