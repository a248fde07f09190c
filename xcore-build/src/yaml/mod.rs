//! YAML with the place of every key and value.

mod mark;
mod node;
mod scalar;
mod syntax;

pub(crate) use mark::parse;
pub(crate) use node::{Entry, Map, Node, Value};
pub(crate) use scalar::{parse_float, parse_integer};
