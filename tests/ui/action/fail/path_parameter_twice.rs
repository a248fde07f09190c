#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/{id}/lines/{id}")]
    async fn line(&self, ctx: &OrdersContext) {}
}

fn main() {}
