#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(crn = "0 0 6 * * *")]
    async fn report(&self, ctx: &OrdersContext) {}
}

fn main() {}
