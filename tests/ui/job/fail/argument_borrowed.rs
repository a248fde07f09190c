#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job]
    async fn send(&self, ctx: &OrdersContext, to: &str) {}
}

fn main() {}
