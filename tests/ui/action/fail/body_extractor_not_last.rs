#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(put = "/{id}")]
    async fn replace(&self, ctx: &OrdersContext, Json(new): Json<String>, Path(id): Path<i32>) {}
}

fn main() {}
