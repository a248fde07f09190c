//! What the compiler proves of an app, at the user's own token.
//!
//! Two kinds of proof are here. Arguments, results and contexts are proved by traits. What concerns several plugins is
//! proved at `app!` by constant evaluation over [`Claims`]: a proof that fails panics with a message, and because the
//! functions are `#[track_caller]`, the error stands at the plugin's path in `app!` and nowhere else.
//!
//! One fact per file. The functions that judge return a [`Text`]; an empty one means that all is well.

mod arguments;
mod built;
mod claims;
mod config;
mod listed;
mod requires;
mod routes;
mod scope;
mod services;
mod text;
mod version;

pub use super::config::{FieldKind, Probe, Unprobed};
pub use arguments::{
    Argument, ContextOf, Create, Head, IsPlugin, Last, LastArgument, MayCall, Named, NoHead, NoLast,
    NotNamed, Reply, Requires,
};
pub use built::{cache_is_built, database_is_built, tokens_are_built};
pub use claims::{App, Claim, Claims, Mountable, NoClaim, NotOffered, Offer, plugins};
pub use config::{config_fits, field_fits, field_is_optional, is_fit};
pub use listed::{all_mounted, is_listed};
pub use requires::requirements_hold;
pub use routes::{routes_are_distinct, routes_are_distinct_within};
pub use scope::{AnyContextOf, AppContextOf, DeclaresCentral};
pub use services::services_are_provided;
pub use text::Text;
