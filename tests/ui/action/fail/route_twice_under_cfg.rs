#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/{id}")]
    async fn get(&self, ctx: &OrdersContext, Path(id): Path<i32>) {}

    #[cfg(not(test))]
    #[action(get = "/{name}")]
    async fn named(&self, ctx: &OrdersContext, Path(name): Path<String>) {}
}

fn main() {}
