#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[on(start)]
    async fn warm_up(&self, ctx: &OrdersContext) {}
}

fn main() {}
