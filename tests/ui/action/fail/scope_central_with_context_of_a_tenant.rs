#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/", scope = "central")]
    async fn list(&self, ctx: &OrdersContext) {}
}

fn main() {}
