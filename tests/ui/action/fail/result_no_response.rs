#![allow(unused)]

use xcore::prelude::*;

struct Order;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Order {
        Order
    }

    #[action]
    async fn get(&self, ctx: &OrdersContext) -> Result<Order> {
        Ok(Order)
    }
}

fn main() {}
