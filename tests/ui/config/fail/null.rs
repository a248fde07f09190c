//@ yaml: shop
#![allow(unused)]

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
struct MailConfig {
    sender: String,
    reply_to: Option<String>,
}

fn main() {}
