//! What `app!` says of an app.

use crate::plugin::AnyPlugin;
use crate::plugin::schema::SchemaDef;

/// An app, as `app!` writes it down.
pub trait AppDef: Sized + 'static {
    /// What `xcore.yaml` said when the binary was compiled.
    type Schema: SchemaDef;

    /// The plugins, in the order of the source.
    fn plugins() -> Vec<Box<dyn AnyPlugin>>;
}
