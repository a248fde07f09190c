//! What `build.rs` tells the macros: which services and plugins `xcore.yaml` names, and where.
//!
//! The schema holds presence, kind and position of keys, and the numbers and booleans of plugin
//! configuration. It never holds a text: a text may be a secret, and build output is copied to places that a
//! configuration file is not.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The format that this version writes and reads.
pub const FORMAT: u32 = 1;

/// `OUT_DIR/xcore_schema.json`: what one package's `xcore.yaml` holds.
///
/// Cargo hands the variable that names this file also to crates that are compiled from a test of the package,
/// so a reader must ask [`Schema::is_for`] before it believes a word of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The package whose `build.rs` wrote this.
    pub package: String,
    /// The configuration file as `build.rs` named it; several are separated by commas.
    pub file: String,
    /// The file had problems, so this schema says nothing and everything is to be allowed. The build has
    /// already failed with those problems; a second error would only hide them.
    #[serde(default)]
    pub permissive: bool,
    /// The services that the file configures.
    pub services: Services,
    /// The plugins that the file lists, by name.
    pub plugins: BTreeMap<String, PluginSchema>,
    /// `tenancy.jwt`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Place>,
    /// `tenancy.jwt.jwks_url`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<Place>,
}

/// Where each service is configured; `None` when it is not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Services {
    /// `services.database`
    pub database: Option<Place>,
    /// `services.cache`
    pub cache: Option<Place>,
    /// `services.scheduler`
    pub scheduler: Option<Place>,
    /// `services.database.url`, when it names a PostgreSQL server, or `services.database.servers`. `None` also for an
    /// address that is known at the start only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Place>,
    /// `services.cache.backend`, when it names a Redis server. `None` also for one that is known at the start only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<Place>,
}

/// One entry of `plugins`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginSchema {
    /// Where its name stands.
    pub place: Place,
    /// What it may use beyond its own tenant, for example `central`.
    pub grants: Vec<String>,
    /// The top-level keys of its `config`.
    pub config: BTreeMap<String, ConfigKey>,
}

/// A key of a plugin's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigKey {
    /// Where the key stands.
    pub place: Place,
    /// What kind of value it has.
    pub kind: Kind,
    /// The value, when it is a number or a boolean. A text is never here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub literal: Option<Literal>,
    /// The keys below, when the value is a map.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub children: BTreeMap<String, ConfigKey>,
}

/// The kind of a value in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// A number with a fraction or an exponent.
    Float,
    /// Anything else on one line, or in quotes.
    Text,
    /// `[a, b]`
    List,
    /// `{ a: 1 }`
    Map,
    /// Holds `${VAR}`: what it is, is known when the app starts.
    Variable,
}

/// A value that a macro may compare with the range of a Rust type.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Literal {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, wide enough for every `u64` and `i64`.
    Integer(i128),
    /// A number with a fraction or an exponent; always finite.
    Float(f64),
}

/// A position in the file. Both count from 1; columns count characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Schema {
    /// A schema that allows everything, for a file that could not be understood.
    #[must_use]
    pub fn permissive(package: &str, file: &str) -> Self {
        Self {
            format: FORMAT,
            package: package.to_owned(),
            file: file.to_owned(),
            permissive: true,
            services: Services::default(),
            plugins: BTreeMap::new(),
            jwt: None,
            jwks_url: None,
        }
    }

    /// Reads what [`Schema::to_json`] wrote.
    ///
    /// # Errors
    /// When the text is no schema, or one of another format: the macros and `xcore-build` are then of
    /// different versions.
    pub fn from_json(text: &str) -> Result<Self, SchemaError> {
        #[derive(Deserialize)]
        struct Stamp {
            format: u32,
        }
        let stamp: Stamp = serde_json::from_str(text).map_err(|source| SchemaError::Malformed { source })?;
        if stamp.format != FORMAT {
            return Err(SchemaError::Format { found: stamp.format });
        }
        serde_json::from_str(text).map_err(|source| SchemaError::Malformed { source })
    }

    /// The text of `xcore_schema.json`.
    ///
    /// # Errors
    /// Never for a schema that [`crate::schema`]'s own types can hold; the error is passed on rather than
    /// hidden.
    pub fn to_json(&self) -> Result<String, SchemaError> {
        serde_json::to_string_pretty(self).map_err(|source| SchemaError::Malformed { source })
    }

    /// Whether this schema was written for `package` (`CARGO_PKG_NAME` of the crate that is being compiled).
    ///
    /// A reader ignores a schema of another package: cargo sets the variable also when it runs tests, so it
    /// leaks into crates that a test compiles.
    #[must_use]
    pub fn is_for(&self, package: &str) -> bool {
        self.package == package
    }
}

/// Why a schema file is of no use.
#[derive(Debug)]
#[non_exhaustive]
pub enum SchemaError {
    /// Not the JSON of a schema.
    Malformed {
        /// What serde found.
        source: serde_json::Error,
    },
    /// Written by another version.
    Format {
        /// The format of the file.
        found: u32,
    },
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { .. } => {
                f.write_str("the schema file is not what xcore-build writes; build once more")
            }
            Self::Format { found } => write!(
                f,
                "the schema file has format {found}, this version reads format {FORMAT}; use the same version of `xcore` and `xcore-build`"
            ),
        }
    }
}

impl std::error::Error for SchemaError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Malformed { source } => Some(source),
            Self::Format { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_believed_only_by_its_own_package() {
        let schema = Schema::permissive("shop", "xcore.yaml");
        assert!(schema.is_for("shop"));
        assert!(!schema.is_for("trybuild000"));
    }

    #[test]
    fn a_schema_survives_the_way_through_json() {
        let mut schema = Schema::permissive("shop", "xcore.yaml");
        let key = ConfigKey {
            place: Place { line: 3, column: 5 },
            kind: Kind::Integer,
            literal: Some(Literal::Integer(i128::from(u64::MAX))),
            children: BTreeMap::new(),
        };
        schema.plugins.insert(
            "orders".to_owned(),
            PluginSchema {
                place: Place { line: 2, column: 3 },
                grants: vec!["central".to_owned()],
                config: [("max".to_owned(), key)].into(),
            },
        );
        assert_eq!(Schema::from_json(&schema.to_json().unwrap()).unwrap(), schema);
    }

    #[test]
    fn another_format_is_named_even_when_its_other_fields_differ() {
        let error = Schema::from_json(r#"{"format":9,"new":true}"#).unwrap_err();
        assert!(error.to_string().contains("format 9"), "{error}");
    }
}
