//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
struct OrdersConfig {
    max_line: usize,
    currency: String,
}

fn main() {}
