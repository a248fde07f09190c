#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/{id}")]
    async fn get(&self, ctx: &OrdersContext, Path(id): Path<i32>) {}

    #[action(get = "/{id}")]
    async fn show(&self, ctx: &OrdersContext, Path(id): Path<i32>) {}

    #[action(post = "/cancel")]
    async fn stop(&self, ctx: &OrdersContext) {}

    #[action]
    async fn cancel(&self, ctx: &OrdersContext) {}
}

fn main() {}
