#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(every = "9000h")]
    async fn report(&self, ctx: &OrdersContext) {}
}

fn main() {}
