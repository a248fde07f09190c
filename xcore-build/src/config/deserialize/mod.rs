//! A plugin's configuration as the plugin's own type, with the place of what does not fit.
//!
//! The tree is read by a deserializer of its own rather than through an untyped value, so that the wanted
//! type decides what a `${VAR}` or an unquoted number is, and so that every error knows its key, line and
//! source.

mod access;
mod error;

use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor, value::StrDeserializer};
use serde::forward_to_deserialize_any;

use crate::problem::Problem;
use crate::yaml::{Node, Value, parse_float, parse_integer};
use access::{Elements, Entries, Variant};
use error::Error;

/// Reads a node as `T`; `path` is its key.
pub(super) fn from_node<T: DeserializeOwned>(node: &Node, path: &str) -> Result<T, Problem> {
    let reader = Reader { node, path: path.to_owned() };
    T::deserialize(reader).map_err(|error| error.at(node, path).into_problem(node, path))
}

/// One node to read.
struct Reader<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> Reader<'a> {
    /// Names the place of an error that does not have one yet.
    fn place<T>(node: &Node, path: &str, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| error.at(node, path))
    }

    /// The text of a node whose type its key decides.
    fn loose(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) if self.node.loose => Some(text),
            _ => None,
        }
    }

    fn integer<'de, V: Visitor<'de>>(number: i128, visitor: V) -> Result<V::Value, Error> {
        match (i64::try_from(number), u64::try_from(number)) {
            (Ok(number), _) => visitor.visit_i64(number),
            (_, Ok(number)) => visitor.visit_u64(number),
            _ => visitor.visit_i128(number),
        }
    }

    fn any<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Null | Value::Pending => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(number) => Self::integer(*number, visitor),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(list) => visitor.visit_seq(Elements::new(list, &self.path)),
            Value::Map(map) => visitor.visit_map(Entries::new(map, &self.path)),
        }
    }

    fn number<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Error> {
        match self.loose().and_then(parse_integer) {
            Some(number) => Self::integer(number, visitor),
            None => self.any(visitor),
        }
    }

    fn text<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Error> {
        match (&self.node.value, &self.node.raw) {
            (Value::Integer(_) | Value::Float(_), Some(raw)) => visitor.visit_str(raw),
            _ => self.any(visitor),
        }
    }
}

macro_rules! placed {
    ($($method:ident => $read:ident),* $(,)?) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            Reader::place(self.node, &self.path, self.$read(visitor))
        }
    )* };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    placed! {
        deserialize_any => any,
        deserialize_i8 => number, deserialize_i16 => number, deserialize_i32 => number, deserialize_i64 => number,
        deserialize_i128 => number, deserialize_u8 => number, deserialize_u16 => number, deserialize_u32 => number,
        deserialize_u64 => number, deserialize_u128 => number,
        deserialize_str => text, deserialize_string => text, deserialize_char => text, deserialize_identifier => text,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match self.loose() {
            Some("true") => visitor.visit_bool(true),
            Some("false") => visitor.visit_bool(false),
            _ => self.any(visitor),
        };
        Reader::place(self.node, &self.path, result)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match self.loose().and_then(parse_float) {
            Some(number) => visitor.visit_f64(number),
            None => self.any(visitor),
        };
        Reader::place(self.node, &self.path, result)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (node, path) = (self.node, self.path.clone());
        Reader::place(node, &path, visitor.visit_newtype_struct(self))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match self.loose() {
            Some(text) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                let list: Vec<Node> = parts
                    .map(|part| Node {
                        variables: self.node.variables.clone(),
                        ..Node::loose(part, self.node.origin.clone())
                    })
                    .collect();
                visitor.visit_seq(Elements::new(&list, &self.path))
            }
            None => self.any(visitor),
        };
        Reader::place(self.node, &self.path, result)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let result = match &self.node.value {
            Value::Text(text) => {
                let text: StrDeserializer<'_, Error> = text.as_str().into_deserializer();
                visitor.visit_enum(text)
            }
            Value::Map(map) if map.entries.len() == 1 => {
                visitor.visit_enum(Variant::new(&map.entries[0], &self.path))
            }
            _ => self.any(visitor),
        };
        Reader::place(self.node, &self.path, result)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf unit unit_struct map struct }
}
