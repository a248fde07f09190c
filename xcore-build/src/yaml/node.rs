//! The marked tree: values that know where they were written and how.

use crate::schema::Kind;
use crate::source::Origin;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
    /// As it was typed, for a scalar without quotes: a text key keeps `0456` and `1e3` as they are.
    pub(crate) raw: Option<String>,
    /// A text whose type its key decides: it came from `${VAR}`, an environment override or a default.
    pub(crate) loose: bool,
    /// The environment variables that went into it. Such a value is never printed.
    pub(crate) variables: Vec<String>,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Map),
    /// `${VAR}` at build time: it exists, and nothing else is known.
    Pending,
}

/// Keys in the order of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Map {
    pub(crate) entries: Vec<Entry>,
}

/// A key, its place, and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) origin: Origin,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin, raw: None, loose: false, variables: Vec::new() }
    }

    /// A text whose key decides what it is.
    pub(crate) fn loose(text: impl Into<String>, origin: Origin) -> Self {
        Self { loose: true, ..Self::new(Value::Text(text.into()), origin) }
    }

    pub(crate) fn empty_map(origin: Origin) -> Self {
        Self::new(Value::Map(Map::default()), origin)
    }

    pub(crate) fn map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The node under dotted `path`.
    pub(crate) fn find(&self, path: &str) -> Option<&Self> {
        if path.is_empty() {
            return Some(self);
        }
        path.split('.').try_fold(self, |node, key| node.map()?.get(key))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.value, Value::Pending)
    }

    /// What the file shows; a text that holds `${` is a variable.
    pub(crate) fn kind(&self) -> Kind {
        match &self.value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Integer(_) => Kind::Integer,
            Value::Float(_) => Kind::Float,
            Value::Text(_) if self.loose => Kind::Variable,
            Value::Text(_) => Kind::Text,
            Value::List(_) => Kind::List,
            Value::Map(_) => Kind::Map,
            Value::Pending => Kind::Variable,
        }
    }

    /// `the text "abc"`, for "found ..". What came from a variable is not shown.
    pub(crate) fn describe(&self) -> String {
        if !self.variables.is_empty() && !matches!(self.value, Value::List(_) | Value::Map(_)) {
            let names: Vec<String> = self.variables.iter().map(|name| format!("`{name}`")).collect();
            return format!("something else in {} (its value is not shown)", names.join(" and "));
        }
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("the boolean `{value}`"),
            Value::Integer(value) => {
                format!("the number `{}`", self.raw.clone().unwrap_or_else(|| value.to_string()))
            }
            Value::Float(value) => {
                format!("the number `{}`", self.raw.clone().unwrap_or_else(|| value.to_string()))
            }
            Value::Text(text) => format!("the text {}", short(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a section".to_owned(),
            Value::Pending => "a variable".to_owned(),
        }
    }
}

/// A text in quotes, cut when it is long.
fn short(text: &str) -> String {
    let cut: String = text.chars().take(60).collect();
    let dots = if cut.len() < text.len() { ".." } else { "" };
    format!("{:?}", crate::redact::mask_url(&cut) + dots)
}

impl Map {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
    }

    /// Sets a key, at the end when it is new.
    pub(crate) fn set(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|other| other.key == entry.key) {
            Some(other) => *other = entry,
            None => self.entries.push(entry),
        }
    }
}
