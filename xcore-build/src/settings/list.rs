//! Lists of one kind.

use std::marker::PhantomData;

use serde_json::{Value as Json, json};

use super::kind::{Kind, Wrong, Wrongs};
use crate::yaml::{Node, Value};

/// A list of `K`s without repetition. In an environment variable the elements are separated by commas.
pub(crate) struct List<K>(PhantomData<K>);

impl<K: Kind> Kind for List<K>
where
    K::Value: PartialEq + std::fmt::Display,
{
    type Value = Vec<K::Value>;

    fn expected() -> String {
        format!("a list, each element {}", K::expected())
    }

    fn read(node: &Node) -> Result<Self::Value, Wrongs> {
        let split;
        let elements = match &node.value {
            Value::List(list) => list,
            Value::Text(text) if node.loose => {
                split = elements_of(node, text);
                &split
            }
            _ => return Err(Wrong::expected::<Self>(node).help("write a list such as `[a, b]`").into()),
        };
        let (mut values, mut wrongs) = (Vec::new(), Vec::new());
        for element in elements {
            if element.is_pending() {
                continue;
            }
            match K::read(element) {
                Ok(value) if values.contains(&value) => {
                    wrongs.push(
                        Wrong::new(format!("names `{value}` twice"))
                            .help("remove one of them")
                            .at(&element.origin),
                    );
                }
                Ok(value) => values.push(value),
                Err(Wrongs(found)) => wrongs.extend(found.into_iter().map(|wrong| wrong.at(&element.origin))),
            }
        }
        if wrongs.is_empty() { Ok(values) } else { Err(Wrongs(wrongs)) }
    }

    fn json_schema() -> Json {
        json!({ "type": "array", "items": K::json_schema(), "uniqueItems": true })
    }

    fn settle(node: &Node, text: &str) -> Value {
        Value::List(elements_of(node, text))
    }
}

fn elements_of(node: &Node, text: &str) -> Vec<Node> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| Node { variables: node.variables.clone(), ..Node::loose(part, node.origin.clone()) })
        .collect()
}
