//! The macros of xcore. Their documentation is on the re-exports in the crate `xcore`, where its examples compile.
//!
//! This file holds the entries, and what they look up around an item: the environment and the schema that `build.rs`
//! wrote. Everything below is a function from tokens to tokens, which unit tests call without a compiler.

mod app;
mod block;
mod check;
mod config;
mod environment;
mod expand;
mod model;
mod names;
mod options;
mod plugin;
mod sink;
mod suggest;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// A plugin: on its struct, and on its impl block.
#[proc_macro_attribute]
pub fn plugin(attr: TokenStream, item: TokenStream) -> TokenStream {
    environment::shown("plugin", plugin::expand(attr.into(), item.into(), &environment::surroundings()))
}

/// An action of a plugin; `#[plugin]` consumes it.
#[proc_macro_attribute]
pub fn action(_: TokenStream, item: TokenStream) -> TokenStream {
    plugin::misplaced("action", item.into()).into()
}

/// A job of a plugin; `#[plugin]` consumes it.
#[proc_macro_attribute]
pub fn job(_: TokenStream, item: TokenStream) -> TokenStream {
    plugin::misplaced("job", item.into()).into()
}

/// A hook of a plugin; `#[plugin]` consumes it.
#[proc_macro_attribute]
pub fn on(_: TokenStream, item: TokenStream) -> TokenStream {
    plugin::misplaced("on", item.into()).into()
}

/// The configuration of a plugin.
#[proc_macro_derive(PluginConfig, attributes(config))]
pub fn plugin_config(item: TokenStream) -> TokenStream {
    environment::shown("PluginConfig", config::expand(item.into(), &environment::surroundings()))
}

/// An app: its plugins, and the proofs about them.
#[proc_macro]
pub fn app(input: TokenStream) -> TokenStream {
    environment::shown("app", app::expand(input.into(), &environment::surroundings()))
}
