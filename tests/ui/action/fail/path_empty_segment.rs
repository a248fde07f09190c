#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/open//today")]
    async fn open(&self, ctx: &OrdersContext) {}
}

fn main() {}
