#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    #[job(every = "1h")]
    async fn report(&self, ctx: &OrdersContext) {}
}

fn main() {}
