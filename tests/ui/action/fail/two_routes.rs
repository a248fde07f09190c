#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/", post = "/place")]
    async fn place(&self, ctx: &OrdersContext) {}
}

fn main() {}
