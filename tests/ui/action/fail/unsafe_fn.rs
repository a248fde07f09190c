#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async unsafe fn place(&self, ctx: &OrdersContext) {}
}

fn main() {}
