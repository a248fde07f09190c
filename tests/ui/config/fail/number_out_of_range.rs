//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
struct OrdersConfig {
    max_lines: u8,
    currency: String,
}

fn main() {}
