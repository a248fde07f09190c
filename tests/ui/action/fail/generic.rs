#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place<T>(&self, ctx: &OrdersContext, Json(new): Json<T>) {}
}

fn main() {}
