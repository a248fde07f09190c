#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(every = "2weeks")]
    async fn report(&self, ctx: &OrdersContext) {}
}

fn main() {}
