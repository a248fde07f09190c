#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(every = "250ms")]
    async fn report(&self, ctx: &OrdersContext) {}
}

fn main() {}
