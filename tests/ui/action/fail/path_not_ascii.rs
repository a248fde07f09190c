#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/größe")]
    async fn size(&self, ctx: &OrdersContext) {}
}

fn main() {}
