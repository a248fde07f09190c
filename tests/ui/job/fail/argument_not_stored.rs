#![allow(unused)]

use xcore::prelude::*;

struct Mail;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job]
    async fn send(&self, ctx: &OrdersContext, mail: Mail) {}
}

fn main() {}
