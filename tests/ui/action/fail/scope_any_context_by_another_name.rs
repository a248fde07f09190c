#![allow(unused)]

use xcore::prelude::*;

type Context = OrdersContext;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/", scope = "any")]
    async fn list(&self, ctx: &Context) {}
}

fn main() {}
