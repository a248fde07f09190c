#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(dbb), nme = "orders", version = "1")]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(post = "place", status = 404)]
    fn place(&self) {}

    #[job(cron = "* * * * 9", overlap = "skp")]
    async fn report(&self, ctx: &OrdersContext, day: u32) {}
}

fn main() {}
