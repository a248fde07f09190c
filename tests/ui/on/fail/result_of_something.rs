#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[on(stop)]
    async fn log(&self) -> String {
        String::new()
    }
}

fn main() {}
