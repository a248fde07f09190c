//! What the entries look up. Nothing is kept: one macro server serves all crates of an editor.

use std::env;
use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;
use xcore_build::schema::Schema;

use crate::plugin::Surroundings;

/// Reads the schema of the package that is being compiled.
///
/// Cargo sets `XCORE_SCHEMA` also for crates that a test compiles, so a schema of another package is no schema. Neither
/// is one that cannot be read: the build script has said why, or was never run, as in an editor.
pub(crate) fn surroundings() -> Surroundings {
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_else(|_| "0.0.0".to_owned());
    let Some((schema, files)) = own_schema() else {
        return Surroundings { version, ..Surroundings::default() };
    };
    // A permissive one says that the file was wrong. It is still included, so that a better one is noticed.
    let schema = Some(schema).filter(|schema| !schema.permissive);
    Surroundings { schema, schema_files: Some(files), version }
}

fn own_schema() -> Option<(Schema, (String, String))> {
    let json = env::var("XCORE_SCHEMA").ok()?;
    let package = env::var("CARGO_PKG_NAME").ok()?;
    let text = fs::read_to_string(&json).ok()?;
    let schema = Schema::from_json(&text).ok().filter(|schema| schema.is_for(&package))?;
    let rust = Path::new(&json).with_extension("rs");
    let rust = rust.is_file().then(|| rust.to_str().map(str::to_owned))??;
    Some((schema, (json, rust)))
}

/// Prints the expansion when `XCORE_MACROS_DEBUG=1` asks for it.
#[expect(clippy::print_stderr, reason = "it was asked for")]
pub(crate) fn shown(name: &str, expansion: TokenStream) -> proc_macro::TokenStream {
    if env::var_os("XCORE_MACROS_DEBUG").is_some_and(|value| value != "0" && !value.is_empty()) {
        let text = match syn::parse2::<syn::File>(expansion.clone()) {
            Ok(file) => prettyplease::unparse(&file),
            Err(_) => expansion.to_string(),
        };
        eprintln!("// expansion of {name}\n{text}");
    }
    expansion.into()
}
