#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[on(start, stop)]
    async fn log(&self) {}
}

fn main() {}
