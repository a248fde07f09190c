//! `plugins`: which plugins the app has, what they may do, and their own configuration.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::deserialize;
use crate::problem::{Problem, Problems};
use crate::redact;
use crate::settings::{Kind, List, OneOf, Reading, Word, Wrong, Wrongs, settings};
use crate::source::Origin;
use crate::yaml::{Entry, Node, Value};

settings! {
    /// One plugin. `{}` when there is nothing to say about it.
    pub(crate) struct PluginSettings at "plugins.*" {
        /// Configuration of the plugin; the plugin's own struct says which keys it has.
        config: Option<Node> = optional Anything;
        /// What the plugin may use beyond its own tenant.
        grants: Vec<Grant> = default List<OneOf<Grant>>, "";
    }
}

/// One plugin of the configuration.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Plugin {
    /// Its name, the key below `plugins`.
    pub name: String,
    /// What it may use beyond its own tenant.
    pub grants: Vec<Grant>,
    /// Its `config`, variables resolved, as the file typed it. What came from a variable is a text here;
    /// prefer [`Plugin::plugin_config`], which reads it as the type that the plugin wants.
    pub config: Json,
    node: Node,
}

/// What a plugin may be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Grant {
    /// The shared database, and services of other tenants by name.
    Central,
}

impl Plugin {
    /// Reads the plugin's configuration as `T`.
    ///
    /// A value that came from `${VAR}` or from an environment override of a new key is read as whatever type
    /// `T` wants, strictly: `0456` stays `0456` for a `String` and is refused for a number. An unquoted
    /// number is accepted for a `String`, as it was typed. Under `#[serde(flatten)]` and in untagged enums
    /// serde does not say which type is wanted; there such a value is a text.
    ///
    /// # Errors
    /// The first thing that does not fit, with its key, line and source.
    pub fn plugin_config<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        deserialize::from_node(&self.node, &format!("plugins.{}.config", self.name))
    }

    /// Whether the plugin may use `grant`.
    #[must_use]
    pub fn is_granted(&self, grant: Grant) -> bool {
        self.grants.contains(&grant)
    }

    /// Every plugin of a tree whose keys were checked. `None` when one is not readable.
    pub(super) fn read_all(root: &Node, problems: &mut Problems) -> Option<Vec<Self>> {
        let entries: &[Entry] = root.find("plugins").and_then(Node::map).map_or(&[], |map| &map.entries);
        let plugins: Vec<Option<Self>> =
            entries.iter().map(|entry| Self::read(root, entry, problems)).collect();
        plugins.into_iter().collect()
    }

    fn read(root: &Node, entry: &Entry, problems: &mut Problems) -> Option<Self> {
        let path = format!("plugins.{}", entry.key);
        let settings = PluginSettings::read(&mut Reading::new(root, &path, problems))?;
        let node = settings.config.unwrap_or_else(|| Node::empty_map(entry.origin.clone()));
        Some(Self { name: entry.key.clone(), grants: settings.grants, config: to_json(&node), node })
    }

    /// Where the plugin's configuration begins.
    pub(crate) fn origin(&self) -> &Origin {
        &self.node.origin
    }
}

/// Shows no value of the configuration.
impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, grants, .. } = self;
        let config = redact::HIDDEN;
        f.debug_struct("Plugin").field("name", name).field("grants", grants).field("config", &config).finish()
    }
}

impl Grant {
    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Central => "central",
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Word for Grant {
    const WORDS: &'static [(&'static str, Self)] = &[("central", Self::Central)];
}

/// A map whose keys are the plugin's own.
pub(crate) struct Anything;

impl Kind for Anything {
    type Value = Node;

    fn expected() -> String {
        "a section with the plugin's own keys".to_owned()
    }

    fn read(node: &Node) -> Result<Node, Wrongs> {
        if node.map().is_some() { Ok(node.clone()) } else { Err(Wrong::expected::<Self>(node).into()) }
    }

    fn json_schema() -> Json {
        json!({ "type": ["object", "null"] })
    }
}

pub(super) fn to_json(node: &Node) -> Json {
    match &node.value {
        Value::Null | Value::Pending => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
            (Ok(value), _) => Json::from(value),
            (_, Ok(value)) => Json::from(value),
            // The parser hands out nothing wider than 64 bits.
            _ => Json::Null,
        },
        Value::Float(value) => Json::from(*value),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(list) => Json::Array(list.iter().map(to_json).collect()),
        Value::Map(map) => {
            Json::Object(map.entries.iter().map(|entry| (entry.key.clone(), to_json(&entry.node))).collect())
        }
    }
}
