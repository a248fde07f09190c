#![allow(unused)]

use xcore::prelude::*;

mod config {
    #[derive(super::Deserialize, xcore::PluginConfig)]
    struct OrdersConfig {
        max_lines: u32,
    }
}

#[xcore::plugin(config = config::OrdersConfig)]
pub struct Orders;

fn main() {}
