#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/{id}/lines/{line}")]
    async fn line(&self, ctx: &OrdersContext, Path(id): Path<i32>) {}
}

fn main() {}
