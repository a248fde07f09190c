//! The effective configuration as YAML, for `check` and for support: every key, defaults included, without
//! secrets.

use serde_norway::{Mapping, Value as Yaml};

use crate::config::{Config, key_at};
use crate::redact;
use crate::yaml::{Node, Value};

/// Why a configuration could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the configuration as YAML")]
#[non_exhaustive]
pub struct EmitError {
    /// What the writer said.
    #[from]
    source: serde_norway::Error,
}

impl Config {
    /// The effective configuration as YAML.
    ///
    /// Not shown are: values of plugin configuration that came from the environment, values of keys that look
    /// like secrets (`password`, `token`, `api_key` ..), and the user part and query of URLs.
    ///
    /// # Errors
    /// None that a checked configuration can cause; the writer's error is passed on rather than hidden.
    pub fn to_yaml(&self) -> Result<String, EmitError> {
        Ok(serde_norway::to_string(&to_value(&self.tree, &mut Vec::new()))?)
    }
}

fn to_value(node: &Node, path: &mut Vec<String>) -> Yaml {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let key = path.last().map_or("", String::as_str);
    let is_container = matches!(node.value, Value::Map(_) | Value::List(_));
    let in_plugin = names.len() > 3 && names[0] == "plugins";
    // What the file itself shows, the secret names aside, is no secret; what a variable brought may be one.
    // A section of ours with such a name, `tenancy.api_key`, has the secret below it, if any.
    let is_section = names.first() != Some(&"plugins") && matches!(node.value, Value::Map(_));
    let hidden = redact::is_secret_key(key) && !node.is_null() && !is_section
        || in_plugin && !node.variables.is_empty() && !is_container;
    if hidden {
        return Yaml::String(redact::HIDDEN.to_owned());
    }
    match &node.value {
        Value::Null | Value::Pending => Yaml::Null,
        Value::Bool(value) => Yaml::Bool(*value),
        Value::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
            (Ok(value), _) => Yaml::from(value),
            (_, Ok(value)) => Yaml::from(value),
            _ => Yaml::String(value.to_string()),
        },
        Value::Float(value) => Yaml::from(*value),
        Value::Text(text) if node.loose && !in_plugin => match key_at(&names) {
            Some(key) => match (key.settle)(node, text) {
                Value::Text(text) => Yaml::String(redact::mask_url(&text)),
                // What a list was cut into is not cut again.
                Value::List(list) => {
                    let whole = |element: Node| to_value(&Node { loose: false, ..element }, path);
                    Yaml::Sequence(list.into_iter().map(whole).collect())
                }
                value => to_value(&Node::new(value, node.origin.clone()), path),
            },
            None => Yaml::String(redact::mask_url(text)),
        },
        Value::Text(text) => Yaml::String(redact::mask_url(text)),
        Value::List(list) => {
            let element = |node: &Node| match &node.value {
                // The key says what the list is, not what an element of it is.
                Value::Text(text) if !in_plugin => Yaml::String(redact::mask_url(text)),
                _ => to_value(node, path),
            };
            Yaml::Sequence(list.iter().map(element).collect())
        }
        Value::Map(map) => {
            let mut mapping = Mapping::new();
            for entry in &map.entries {
                path.push(entry.key.clone());
                mapping.insert(Yaml::String(entry.key.clone()), to_value(&entry.node, path));
                path.pop();
            }
            Yaml::Mapping(mapping)
        }
    }
}
