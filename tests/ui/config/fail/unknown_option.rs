//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
#[config(plguin = "orders")]
struct Settings {
    max_lines: usize,
    currency: String,
}

fn main() {}
