#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(cron = "0 0 25 * * *")]
    async fn report(&self, ctx: &OrdersContext) {}
}

fn main() {}
