#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders<T> {
    items: Vec<T>,
}

#[xcore::plugin]
impl<T> Orders<T> {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> &'static str {
        "placed"
    }
}

fn main() {}
