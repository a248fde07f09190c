#![allow(unused)]

use xcore::prelude::*;

struct Order;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<Json<Order>> {
        Ok(Json(Order))
    }
}

fn main() {}
