#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
enum OrdersConfig {
    Small,
    Large,
}

fn main() {}
