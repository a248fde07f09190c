#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(ctx: &OrdersContext) {}
}

fn main() {}
