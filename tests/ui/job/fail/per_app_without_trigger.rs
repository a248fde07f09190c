#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(per = "app")]
    async fn report(&self, ctx: &AppContext<Self>) {}
}

fn main() {}
