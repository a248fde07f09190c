//! `xcore_schema.rs`: the schema as types and constants, for the proofs of `app!`.
//!
//! It is included in a module that has `use <path of the runtime>::__private as __xcore;`.

use std::fmt::Write;

use crate::schema::{ConfigKey, Kind, Literal, Schema};

/// The Rust text of a schema.
pub(super) fn emit(schema: &Schema) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write_all(schema, &mut text);
    text
}

fn write_all(schema: &Schema, out: &mut String) -> std::fmt::Result {
    writeln!(out, "// Written by xcore-build from {}. Do not edit.", schema.file.escape_default())?;
    writeln!(out, "/// What the configuration of this package provides.")?;
    writeln!(out, "pub struct Schema;")?;
    if schema.permissive {
        writeln!(out, "impl<T: ?Sized> __xcore::schema::Provides<T> for Schema {{}}")?;
    } else {
        let central =
            schema.plugins.values().any(|plugin| plugin.grants.iter().any(|grant| grant == "central"));
        let services = [
            ("Db", schema.services.database.is_some()),
            ("Cache", schema.services.cache.is_some()),
            ("Scheduler", schema.services.scheduler.is_some()),
            ("Central", central),
        ];
        for (service, _) in services.into_iter().filter(|(_, provided)| *provided) {
            writeln!(out, "impl __xcore::schema::Provides<__xcore::services::{service}> for Schema {{}}")?;
        }
    }
    writeln!(out, "impl __xcore::schema::SchemaDef for Schema {{")?;
    writeln!(out, "    const FILE: &'static str = {:?};", schema.file)?;
    writeln!(out, "    const PACKAGE: &'static str = {:?};", schema.package)?;
    writeln!(out, "    const FORMAT: u32 = {};", schema.format)?;
    writeln!(out, "    const PERMISSIVE: bool = {};", schema.permissive)?;
    writeln!(out, "    const PLUGINS: &'static [__xcore::schema::PluginEntry] = &[")?;
    for (name, plugin) in &schema.plugins {
        writeln!(
            out,
            "        __xcore::schema::PluginEntry {{ name: {name:?}, line: {}, column: {}, grants: &{:?}, config: &[",
            plugin.place.line, plugin.place.column, plugin.grants
        )?;
        for (name, key) in &plugin.config {
            writeln!(out, "            {},", config_key(name, key))?;
        }
        writeln!(out, "        ] }},")?;
    }
    writeln!(out, "    ];")?;
    let built = [
        ("POSTGRES", schema.services.postgres),
        ("REDIS", schema.services.redis),
        ("JWT", schema.jwt),
        ("JWKS_URL", schema.jwks_url),
    ];
    for (name, place) in built {
        let Some(place) = place else { continue };
        let (line, column) = (place.line, place.column);
        writeln!(
            out,
            "    const {name}: ::core::option::Option<(u32, u32)> = ::core::option::Option::Some(({line}, {column}));"
        )?;
    }
    writeln!(out, "}}")
}

fn config_key(name: &str, key: &ConfigKey) -> String {
    let kind = match key.kind {
        Kind::Null => "Null",
        Kind::Bool => "Bool",
        Kind::Integer => "Integer",
        Kind::Float => "Float",
        Kind::Text => "Text",
        Kind::List => "List",
        Kind::Map => "Map",
        Kind::Variable => "Variable",
    };
    let integer = match key.literal {
        Some(Literal::Integer(number)) => format!("::core::option::Option::Some({number})"),
        _ => "::core::option::Option::None".to_owned(),
    };
    format!(
        "__xcore::schema::ConfigKey {{ name: {name:?}, kind: __xcore::schema::Kind::{kind}, line: {}, column: {}, integer: {integer} }}",
        key.place.line, key.place.column
    )
}
