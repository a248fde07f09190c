//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
struct OrdersConfig {
    max_lines: usize,
    currency: String,
    retries: Retries,
    delay: Delay,
}

type Retries = Option<u8>;
type Delay = u64;

fn main() {}
