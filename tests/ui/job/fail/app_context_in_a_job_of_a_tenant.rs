#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(every = "1h")]
    async fn report(&self, ctx: &AppContext<Self>) {}
}

fn main() {}
