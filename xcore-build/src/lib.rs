//! Everything about `xcore.yaml`: its keys, its parser, its checks and its layers.
//!
//! Three readers share it, so that they can never disagree:
//!
//! - `build.rs` calls [`compile`], which reports every problem of the file in one build and writes
//!   the schema that the macros and `app!` check against;
//! - the macros read that schema through [`schema`], the only module that is left without the feature
//!   `build`;
//! - the runtime calls [`config::Config::load`], which reads the same file with the same checks, adds the
//!   layers of
//!   the environment, and compares the outcome with what the binary was compiled against.
//!
//! The keys are declared once, beside the structs that hold them ([`config`]). The check for unknown keys,
//! the types of environment overrides, the defaults and the JSON Schema are all read from that declaration.
//!
//! A build script is one line:
//!
//! ```ignore
//! fn main() {
//!     xcore_build::compile("xcore.yaml");
//! }
//! ```

pub mod schema;

#[cfg(feature = "build")]
pub mod compat;
#[cfg(feature = "build")]
mod compile;
#[cfg(feature = "build")]
pub mod config;
#[cfg(feature = "build")]
mod emit;
#[cfg(feature = "build")]
mod json_schema;
#[cfg(feature = "build")]
mod layer;
#[cfg(feature = "build")]
mod problem;
#[cfg(feature = "build")]
mod redact;
#[cfg(feature = "build")]
mod settings;
#[cfg(feature = "build")]
mod source;
#[cfg(feature = "build")]
mod suggest;
#[cfg(feature = "build")]
mod yaml;

#[cfg(feature = "build")]
pub use compile::{Compile, Written, compile};
#[cfg(feature = "build")]
pub use emit::EmitError;
#[cfg(feature = "build")]
pub use json_schema::json_schema;
#[cfg(feature = "build")]
pub use problem::{Problem, Problems, Snippet};
