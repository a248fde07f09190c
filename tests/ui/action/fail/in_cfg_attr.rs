#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[cfg_attr(unix, action(get = "/"))]
    async fn list(&self, ctx: &OrdersContext) {}
}

fn main() {}
