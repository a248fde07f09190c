#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/{id}")]
    async fn get(&self, ctx: &OrdersContext, Path(id): Path<i32>) {}

    #[action(delete = "/{order}")]
    async fn cancel(&self, ctx: &OrdersContext, Path(order): Path<i32>) {}
}

fn main() {}
