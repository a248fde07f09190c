#![allow(unused)]

use xcore::prelude::*;

struct NewOrder;

#[derive(Deserialize)]
struct Page {
    limit: u32,
}

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext, new: NewOrder, Query(page): Query<Page>) {}

    #[action]
    async fn cancel(&self, ctx: &OrdersContext, old: NewOrder) {}
}

fn main() {}
