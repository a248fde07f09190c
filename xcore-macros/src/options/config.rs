//! `#[config(plugin = "orders", crate = ::path)]` beside `#[derive(PluginConfig)]`

use syn::{Attribute, LitStr, Meta, Path};

use super::{Grammar, krate, text};
use crate::sink::Sink;

const CONFIG: Grammar = Grammar {
    attribute: "`#[config]`",
    noun: "option",
    options: &["plugin", "crate"],
    synonyms: &[("name", "plugin"), ("xcore", "crate")],
};

/// The options of a configuration struct.
#[derive(Default)]
pub(crate) struct ConfigOptions {
    pub(crate) krate: Option<Path>,
    pub(crate) plugin: Option<LitStr>,
}

impl ConfigOptions {
    /// ui: config/fail/attribute_without_options, config/fail/unknown_option
    pub(crate) fn parse(attrs: &[Attribute], sink: &mut Sink) -> Self {
        let mut options = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("config")) {
            let Meta::List(list) = &attr.meta else {
                sink.error(attr, "`#[config]` needs an option\nhelp: write `#[config(plugin = \"orders\")]`");
                continue;
            };
            CONFIG.parse(list.tokens.clone(), sink, |key, input, _| {
                match key.to_string().as_str() {
                    "plugin" => options.plugin = Some(text(key, input, "\"orders\"")?),
                    _ => options.krate = Some(krate(key, input)?),
                }
                Ok(())
            });
        }
        options
    }
}
