//! The table of keys.

use serde_json::Value as Json;

use super::kind::Kind;
use crate::yaml::{Node, Value};

/// A map with a fixed set of keys.
#[derive(Debug)]
pub(crate) struct Section {
    /// Dotted path; `*` stands for a name of the user's.
    pub(crate) path: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [Key],
}

/// A key and everything that is known of it.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) need: Need,
    /// `null` is a value of its own.
    pub(crate) nullable: bool,
    /// What a value must be.
    pub(crate) expected: fn() -> String,
    /// How a text that its key types is shown in the effective configuration.
    pub(crate) settle: fn(&Node, &str) -> Value,
    pub(crate) json_schema: fn() -> Json,
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Need {
    Required,
    Optional,
    /// The text that stands for an absent key.
    Default(&'static str),
}

impl Key {
    pub(crate) const fn of<K: Kind>(name: &'static str, doc: &'static str, need: Need) -> Self {
        Self {
            name,
            doc,
            need,
            nullable: K::NULLABLE,
            expected: K::expected,
            settle: K::settle,
            json_schema: K::json_schema,
        }
    }
}

impl Section {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}
