#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/open")]
    async fn open(&self, ctx: &OrdersContext, Path(id): Path<i32>) {}
}

fn main() {}
