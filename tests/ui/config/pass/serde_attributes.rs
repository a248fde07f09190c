//@ in: configured
//! What serde does with keys, the check does too.

use std::num::NonZeroU16;

use xcore::prelude::*;

/// The section of `plugins.orders.config`, under another name.
#[derive(Deserialize, xcore::PluginConfig)]
#[config(plugin = "orders")]
#[serde(rename_all = "snake_case")]
#[derive(Debug)]
pub struct Settings {
    #[serde(rename = "max_lines")]
    lines: NonZeroU16,
    open: Switch,
    rate: f32,
    #[serde(deserialize_with = "currency")]
    currency: [u8; 3],
    tags: Box<[String]>,
    limits: Limits,
    #[serde(skip)]
    seen: u32,
    #[serde(default = "always")]
    always: bool,
}

/// A value that only serde understands.
#[derive(Deserialize)]
#[serde(from = "bool")]
#[derive(Debug)]
pub struct Switch(bool);

impl From<bool> for Switch {
    fn from(is_on: bool) -> Self {
        Self(is_on)
    }
}

/// A section of its own.
#[derive(Deserialize, xcore::PluginConfig)]
#[derive(Debug)]
pub struct Limits {
    per_day: u32,
}

fn always() -> bool {
    true
}

fn currency<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<[u8; 3], D::Error> {
    let text = String::deserialize(deserializer)?;
    text.as_bytes().try_into().map_err(serde::de::Error::custom)
}

/// Takes orders.
#[xcore::plugin(config = Settings)]
#[derive(Debug)]
pub struct Orders;

#[xcore::plugin]
impl Orders {
    /// Everything.
    #[action(get = "/")]
    async fn show(&self, ctx: &OrdersContext) -> String {
        let Settings { lines, open, rate, currency, tags, limits, seen, always } = &*ctx.config;
        format!("{lines} {} {rate} {currency:?} {tags:?} {} {seen} {always}", open.0, limits.per_day)
    }
}

/// Writes invoices.
#[xcore::plugin]
#[derive(Debug)]
pub struct Billing;

#[xcore::plugin]
impl Billing {}

xcore::app! { Orders, Billing }

fn main() -> std::process::ExitCode {
    App::run()
}
