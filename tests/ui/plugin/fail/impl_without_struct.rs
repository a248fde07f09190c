#![allow(unused)]

use xcore::prelude::*;

struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) {}
}

fn main() {}
