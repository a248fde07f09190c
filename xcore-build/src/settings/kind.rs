//! What a key may hold: how it is read, how it is described to a person and to an editor.

use serde_json::{Value as Json, json};

use crate::source::Origin;
use crate::suggest;
use crate::yaml::{Node, Value, parse_integer};

/// A type of value. Implemented by markers; `Value` is what the configuration holds.
pub(crate) trait Kind {
    type Value;

    /// `null` is a value, not an omission.
    const NULLABLE: bool = false;

    /// After "must be": ``a duration such as `30s` ``.
    fn expected() -> String;

    /// Reads a node that is neither pending nor, unless [`Kind::NULLABLE`], null.
    fn read(node: &Node) -> Result<Self::Value, Wrongs>;

    /// What an editor may accept, a `${VAR}` aside.
    fn json_schema() -> Json;

    /// A loose text as the value that it stands for.
    fn settle(_node: &Node, text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

/// Why a value is not what its key wants.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// Continues "`key` ..".
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// Where, when it is not the value as a whole.
    pub(crate) origin: Option<Origin>,
}

/// All that is wrong with one value.
#[derive(Debug)]
pub(crate) struct Wrongs(pub(crate) Vec<Wrong>);

impl Wrong {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, origin: None }
    }

    pub(crate) fn expected<K: Kind>(node: &Node) -> Self {
        Self::new(format!("must be {}, found {}", K::expected(), node.describe()))
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(mut self, origin: &Origin) -> Self {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }
}

impl From<Wrong> for Wrongs {
    fn from(wrong: Wrong) -> Self {
        Self(vec![wrong])
    }
}

/// The text of a node for a key of kind `K`: a number without quotes is taken as it was typed, a boolean is
/// refused because `on` and `true` would not be told apart.
pub(crate) fn text_of<K: Kind>(node: &Node) -> Result<&str, Wrong> {
    match (&node.value, &node.raw) {
        (Value::Text(text), _) => Ok(text),
        (Value::Integer(_) | Value::Float(_), Some(raw)) => Ok(raw),
        (Value::Bool(value), _) => {
            Err(Wrong::expected::<K>(node)
                .help(format!("write \"{value}\" in quotes if it is meant as a text")))
        }
        _ => Err(Wrong::expected::<K>(node)),
    }
}

/// `true` or `false`, and none of YAML 1.1's other spellings.
pub(crate) struct Flag;

impl Kind for Flag {
    type Value = bool;

    fn expected() -> String {
        "`true` or `false`".to_owned()
    }

    fn read(node: &Node) -> Result<bool, Wrongs> {
        match &node.value {
            Value::Bool(value) => Ok(*value),
            Value::Text(text) if node.loose && text == "true" => Ok(true),
            Value::Text(text) if node.loose && text == "false" => Ok(false),
            Value::Text(text) => {
                let meant = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" => Some("true"),
                    "no" | "off" | "n" | "false" => Some("false"),
                    _ => None,
                };
                let mut wrong = Wrong::expected::<Self>(node);
                wrong.help = meant.map(|meant| {
                    format!("write `{meant}`{}", if node.loose { "" } else { ", without quotes" })
                });
                Err(wrong.into())
            }
            _ => Err(Wrong::expected::<Self>(node).into()),
        }
    }

    fn json_schema() -> Json {
        json!({ "type": "boolean" })
    }

    fn settle(_node: &Node, text: &str) -> Value {
        text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Bool)
    }
}

/// A whole number from `MIN` to `MAX`.
pub(crate) struct Whole<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> Kind for Whole<MIN, MAX> {
    type Value = u32;

    fn expected() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }

    fn read(node: &Node) -> Result<u32, Wrongs> {
        let number = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) if node.loose => parse_integer(text),
            Value::Text(text) if parse_integer(text).is_some() => {
                return Err(Wrong::expected::<Self>(node).help("remove the quotes").into());
            }
            _ => None,
        };
        number
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (MIN..=MAX).contains(number))
            .ok_or_else(|| Wrong::expected::<Self>(node).into())
    }

    fn json_schema() -> Json {
        json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }

    fn settle(_node: &Node, text: &str) -> Value {
        parse_integer(text).map_or_else(|| Value::Text(text.to_owned()), Value::Integer)
    }
}

/// A closed set of words.
pub(crate) trait Word: Sized + Clone + 'static {
    /// Each word and what it stands for.
    const WORDS: &'static [(&'static str, Self)];

    /// What to say about a word that is known and not supported.
    fn refused(_word: &str) -> Option<Wrong> {
        None
    }
}

/// One of `T`'s words.
pub(crate) struct OneOf<T>(std::marker::PhantomData<T>);

impl<T: Word> Kind for OneOf<T> {
    type Value = T;

    fn expected() -> String {
        let words: Vec<String> = T::WORDS.iter().map(|(word, _)| format!("`{word}`")).collect();
        words.join(" or ")
    }

    fn read(node: &Node) -> Result<T, Wrongs> {
        let text = text_of::<Self>(node)?;
        if let Some((_, value)) = T::WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(value.clone());
        }
        if let Some(wrong) = T::refused(text) {
            return Err(wrong.into());
        }
        let mut wrong = Wrong::expected::<Self>(node);
        wrong.help = suggest::nearest(text, T::WORDS.iter().map(|(word, _)| *word))
            .map(|word| format!("did you mean `{word}`?"));
        Err(wrong.into())
    }

    fn json_schema() -> Json {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        json!({ "enum": words })
    }
}
