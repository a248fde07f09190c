#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/{*rest}/lines")]
    async fn lines(&self, ctx: &OrdersContext) {}
}

fn main() {}
