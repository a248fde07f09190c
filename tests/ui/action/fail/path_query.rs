#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/open?limit=5")]
    async fn open(&self, ctx: &OrdersContext) {}
}

fn main() {}
