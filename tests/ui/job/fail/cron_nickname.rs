#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(cron = "@dayly")]
    async fn report(&self, ctx: &OrdersContext) {}
}

fn main() {}
