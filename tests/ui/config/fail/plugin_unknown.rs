//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
#[config(plugin = "order")]
struct Settings {
    max_lines: usize,
    currency: String,
}

fn main() {}
