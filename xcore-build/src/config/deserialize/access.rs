//! Lists, maps and enums of the tree, as serde walks them.

use serde::de::Deserializer as _;
use serde::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::StrDeserializer,
};

use super::Reader;
use super::error::Error;
use crate::yaml::{Entry, Map, Node};

pub(super) struct Elements<'a> {
    nodes: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
    path: &'a str,
}

impl<'a> Elements<'a> {
    pub(super) fn new(nodes: &'a [Node], path: &'a str) -> Self {
        Self { nodes: nodes.iter().enumerate(), path }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((index, node)) = self.nodes.next() else { return Ok(None) };
        let path = format!("{}[{index}]", self.path);
        let result = seed.deserialize(Reader { node, path: path.clone() });
        Reader::place(node, &path, result).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.nodes.len())
    }
}

pub(super) struct Entries<'a> {
    entries: std::slice::Iter<'a, Entry>,
    value: Option<&'a Entry>,
    path: &'a str,
}

impl<'a> Entries<'a> {
    pub(super) fn new(map: &'a Map, path: &'a str) -> Self {
        Self { entries: map.entries.iter(), value: None, path }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(entry);
        // A key is a text of its own; read as a loose one it may also be the key of a map by number.
        let key = Node::loose(&entry.key, entry.origin.clone());
        let path = format!("{}.{}", self.path, entry.key);
        Reader::place(&key, &path, seed.deserialize(Reader { node: &key, path: path.clone() })).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let Some(entry) = self.value.take() else {
            return Err(serde::de::Error::custom("a value was asked for before its key"));
        };
        let path = format!("{}.{}", self.path, entry.key);
        Reader::place(&entry.node, &path, seed.deserialize(Reader { node: &entry.node, path: path.clone() }))
    }
}

/// `{ variant: content }`
pub(super) struct Variant<'a> {
    entry: &'a Entry,
    path: String,
}

impl<'a> Variant<'a> {
    pub(super) fn new(entry: &'a Entry, path: &str) -> Self {
        Self { entry, path: format!("{path}.{}", entry.key) }
    }

    fn content(self) -> Reader<'a> {
        Reader { node: &self.entry.node, path: self.path }
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Error> {
        let key: StrDeserializer<'_, Error> = self.entry.key.as_str().into_deserializer();
        let key_node = Node::loose(&self.entry.key, self.entry.origin.clone());
        let value = Reader::place(&key_node, &self.path, seed.deserialize(key))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        serde::Deserialize::deserialize(self.content())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.content())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.content().deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.content().deserialize_any(visitor)
    }
}
