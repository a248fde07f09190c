//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

impl From<u32> for OrdersConfig {
    fn from(max_lines: u32) -> Self {
        Self { max_lines }
    }
}

#[derive(Deserialize, xcore::PluginConfig)]
#[serde(from = "u32")]
struct OrdersConfig {
    max_lines: u32,
}

fn main() {}
