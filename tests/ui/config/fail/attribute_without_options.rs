//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
#[config]
struct OrdersConfig {
    max_lines: usize,
    currency: String,
}

fn main() {}
