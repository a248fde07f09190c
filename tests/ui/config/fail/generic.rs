#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
struct OrdersConfig<T> {
    max_lines: T,
}

fn main() {}
