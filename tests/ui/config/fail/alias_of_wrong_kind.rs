//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

type Lines = Vec<u32>;

#[derive(Deserialize, xcore::PluginConfig)]
struct OrdersConfig {
    max_lines: Lines,
    currency: String,
}

fn main() {}
