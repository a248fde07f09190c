#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize)]
struct OrdersConfig {
    max_lines: u32,
}

#[xcore::plugin(config = OrdersConfig)]
struct Orders;

fn main() {}
