//! From text to the marked tree, through serde-saphyr.
//!
//! serde-saphyr's `Spanned` gives the place of every node and, by its byte range, the text as it was typed.
//! Duplicate keys are passed through and found here, so that all of them are reported and both places are
//! named.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, MergeKeyPolicy, Options, Spanned};

use super::node::{Entry, Map, Node, Value};
use super::syntax;
use crate::problem::{Problem, Problems};
use crate::source::{Origin, Source};

/// Nodes that one file may hold, aliases written out. A large app has some hundreds.
const MAX_NODES: usize = 20_000;
/// Maps and lists inside each other.
const MAX_DEPTH: usize = 32;
/// A file larger than this is none that a person wrote.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Parses one file. An empty file is an empty map.
///
/// `None` when the text is no YAML; every duplicate key is a problem, and the first of them is kept.
pub(crate) fn parse(source: &Arc<Source>, problems: &mut Problems) -> Option<Node> {
    let Source::File { text, name } = &**source else { return None };
    if text.len() > MAX_BYTES {
        let message = format!("this file has {} bytes; a configuration has at most {MAX_BYTES}", text.len());
        problems.push(Problem::of_file(name, message));
        return None;
    }
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options()) {
        Ok(root) => {
            let mut marker = Marker { source, text, problems };
            let mut node = marker.node(root);
            if node.is_null() {
                node.value = Value::Map(Map::default());
            }
            Some(node)
        }
        Err(error) => {
            syntax::report(source, text, error.without_snippet(), problems);
            None
        }
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // `<<` would hide from the reader of a line where a value comes from; overlays do that job.
        merge_keys: MergeKeyPolicy::Error,
        // `no` and `off` are texts, as in YAML 1.2.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_nodes: MAX_NODES,
            max_events: MAX_NODES * 4,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            // Two, so that a second one is named as such.
            max_documents: 2,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 8,
        },
    }
}

/// What serde-saphyr resolved, before places are attached.
enum Raw {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;

        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Integer(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Integer(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Raw, E> {
                Ok(Raw::Text(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut list = Vec::new();
                while let Some(node) = access.next_element()? {
                    list.push(node);
                }
                Ok(Raw::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    entries.push(entry);
                }
                Ok(Raw::Map(entries))
            }
        }

        deserializer.deserialize_any(RawVisitor)
    }
}

struct Marker<'a> {
    source: &'a Arc<Source>,
    text: &'a str,
    problems: &'a mut Problems,
}

impl Marker<'_> {
    fn node(&mut self, spanned: Spanned<Raw>) -> Node {
        let is_scalar = !matches!(spanned.value, Raw::List(_) | Raw::Map(_));
        let origin = self.origin(spanned.referenced, is_scalar);
        let typed = self.typed(spanned.defined);
        let value = match spanned.value {
            Raw::Null => Value::Null,
            Raw::Bool(value) => Value::Bool(value),
            Raw::Integer(value) => Value::Integer(value),
            Raw::Float(value) => Value::Float(value),
            Raw::Text(value) => Value::Text(value),
            Raw::List(list) => Value::List(list.into_iter().map(|node| self.node(node)).collect()),
            Raw::Map(entries) => Value::Map(self.map(entries)),
        };
        let raw = match value {
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) => typed,
            _ => None,
        };
        Node { raw, ..Node::new(value, origin) }
    }

    fn map(&mut self, entries: Vec<(Spanned<Raw>, Spanned<Raw>)>) -> Map {
        let mut map = Map::default();
        for (key, value) in entries {
            let origin = self.origin(key.referenced, true);
            let typed = self.typed(key.defined);
            let node = self.node(value);
            let key = match key.value {
                Raw::Text(key) => key,
                Raw::Bool(_) | Raw::Integer(_) | Raw::Float(_) => typed.unwrap_or_default(),
                Raw::Null | Raw::List(_) | Raw::Map(_) => {
                    self.problems
                        .push(Problem::at(&origin, "a key must be a text").help("write `name: value`"));
                    continue;
                }
            };
            match map.entry(&key) {
                Some(first) => self.problems.push(
                    Problem::at(&origin, format!("the key `{key}` is here twice"))
                        .about(key.clone())
                        .help(format!("it was first set in line {}; keep one of them", first.origin.line)),
                ),
                None => map.entries.push(Entry { key, origin, node }),
            }
        }
        map
    }

    fn origin(&self, location: Location, is_scalar: bool) -> Origin {
        let (line, column) = place(location);
        let width = if is_scalar { u32::try_from(location.span().len()).unwrap_or(u32::MAX) } else { 1 };
        Origin { source: Arc::clone(self.source), line, column, width: width.max(1) }
    }

    /// The text of a scalar as it stands in the file.
    fn typed(&self, location: Location) -> Option<String> {
        let start = usize::try_from(location.span().byte_offset()?).ok()?;
        let length = usize::try_from(location.span().byte_len()?).ok()?;
        self.text.get(start..start.checked_add(length)?).map(|text| text.trim().to_owned())
    }
}

pub(super) fn place(location: Location) -> (u32, u32) {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    (narrow(location.line()), narrow(location.column()))
}
