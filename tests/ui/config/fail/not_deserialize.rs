//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(xcore::PluginConfig)]
struct OrdersConfig {
    max_lines: usize,
    currency: String,
}

fn main() {}
