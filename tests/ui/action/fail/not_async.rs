#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    fn place(&self, ctx: &OrdersContext) -> &'static str {
        "placed"
    }
}

fn main() {}
