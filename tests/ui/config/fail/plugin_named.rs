//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
#[config(plugin = "orders")]
#[serde(rename_all = "kebab-case")]
struct Settings {
    max_lines: usize,
    currency: String,
}

fn main() {}
