#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(cron = "0 6 * * *", every = "24h")]
    async fn report(&self, ctx: &OrdersContext) {}
}

fn main() {}
