#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[on(start)]
    async fn first(&self) {}

    #[on(start)]
    async fn second(&self) {}
}

fn main() {}
