//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
struct OrdersConfig {
    max_lines: usize,
    #[serde(flatten)]
    rest: std::collections::HashMap<String, String>,
}

fn main() {}
