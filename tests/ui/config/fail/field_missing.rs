//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
struct OrdersConfig {
    max_lines: usize,
    currency: String,
    retries: u8,
}

fn main() {}
