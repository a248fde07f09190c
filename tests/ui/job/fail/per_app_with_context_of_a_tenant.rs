#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(every = "1h", per = "app")]
    async fn report(&self, ctx: &OrdersContext) {}
}

fn main() {}
