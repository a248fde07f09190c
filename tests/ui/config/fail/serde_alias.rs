//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
struct OrdersConfig {
    #[serde(alias = "lines")]
    max_lines: usize,
    currency: String,
}

fn main() {}
