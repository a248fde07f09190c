#![allow(unused)]

use xcore::prelude::*;

struct NewOrder;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext, Json(new): Json<NewOrder>) {}
}

fn main() {}
