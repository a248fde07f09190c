#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/")]
    async fn list(&self, ctx: &AnyContext<Self>) {}
}

fn main() {}
