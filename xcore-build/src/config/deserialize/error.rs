//! What serde reports, with its place.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::problem::Problem;
use crate::suggest;
use crate::yaml::Node;

/// An error on its way out; the innermost node that it passes gives it its place.
#[derive(Debug)]
pub(super) struct Error {
    what: What,
    place: Option<Box<(Node, String)>>,
}

#[derive(Debug)]
enum What {
    /// The plugin's own words, which may hold the value.
    Words(String),
    Type {
        found: String,
        expected: String,
    },
    Missing {
        key: &'static str,
    },
    Unknown {
        key: String,
        expected: &'static [&'static str],
    },
    Variant {
        expected: &'static [&'static str],
        found: String,
    },
}

impl Error {
    fn new(what: What) -> Self {
        Self { what, place: None }
    }

    pub(super) fn at(mut self, node: &Node, path: &str) -> Self {
        self.place.get_or_insert_with(|| Box::new((node.clone(), path.to_owned())));
        self
    }

    pub(super) fn into_problem(self, root: &Node, path: &str) -> Problem {
        let (node, path) = self.place.map_or_else(|| (root.clone(), path.to_owned()), |place| *place);
        let hidden = !node.variables.is_empty();
        let source = node.variables.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
        let (message, help) = match self.what {
            What::Words(_) if hidden => (
                format!(
                    "`{path}` does not take the value of {source} (not shown, nor the reason, which may hold it)"
                ),
                None,
            ),
            What::Words(words) => (format!("`{path}`: {words}"), None),
            What::Type { expected, .. } if hidden => {
                (format!("`{path}` must be {expected}; the value of {source} is not (it is not shown)"), None)
            }
            What::Type { found, expected } => (format!("`{path}` must be {expected}, found {found}"), None),
            What::Missing { key } => (format!("`{path}.{key}` is missing"), Some(format!("add `{key}:`"))),
            What::Unknown { key, expected } => {
                let help = match suggest::nearest(&key, expected.iter().copied()) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None if expected.is_empty() => "the plugin has no keys here".to_owned(),
                    None => format!("the keys here are {}", suggest::list(expected.iter().copied())),
                };
                (format!("unknown key `{path}`"), Some(help))
            }
            What::Variant { expected, found } => {
                let help = suggest::nearest(&found, expected.iter().copied()).filter(|_| !hidden);
                let found = if hidden { String::new() } else { format!(", found `{found}`") };
                let message =
                    format!("`{path}` must be one of {}{found}", suggest::list(expected.iter().copied()));
                (message, help.map(|name| format!("did you mean `{name}`?")))
            }
        };
        Problem::at(&node.origin, message).maybe_help(help).about(path)
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::new(What::Words(words.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(What::Type { found: describe(&found), expected: wanted(&expected.to_string()) })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(What::Missing { key })
    }

    fn unknown_field(key: &str, expected: &'static [&'static str]) -> Self {
        Self::new(What::Unknown { key: key.to_owned(), expected })
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        Self::new(What::Variant { expected, found: found.to_owned() })
    }
}

/// Rust's types, in the words of the file.
fn wanted(expected: &str) -> String {
    let range = |low: i128, high: i128| format!("a whole number from {low} to {high}");
    match expected {
        "u8" => range(0, u8::MAX.into()),
        "u16" => range(0, u16::MAX.into()),
        "u32" => range(0, u32::MAX.into()),
        "i8" => range(i8::MIN.into(), i8::MAX.into()),
        "i16" => range(i16::MIN.into(), i16::MAX.into()),
        "i32" => range(i32::MIN.into(), i32::MAX.into()),
        "u64" | "u128" | "usize" => "a whole number from 0 up".to_owned(),
        "i64" | "i128" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "struct variant" | "newtype variant" | "tuple variant" => "a name with a value below it".to_owned(),
        "a map" => "a section".to_owned(),
        other if other.starts_with("struct ") => "a section".to_owned(),
        other => other.to_owned(),
    }
}

/// serde's words, in those of the file.
fn describe(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Bool(value) => format!("the boolean `{value}`"),
        Unexpected::Unsigned(number) => format!("the number `{number}`"),
        Unexpected::Signed(number) => format!("the number `{number}`"),
        Unexpected::Float(number) => format!("the number `{number}`"),
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a section".to_owned(),
        Unexpected::UnitVariant => "the name alone".to_owned(),
        other => other.to_string(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Words(words) => f.write_str(words),
            What::Type { expected, .. } => write!(f, "expected {expected}"),
            What::Missing { key } => write!(f, "missing key `{key}`"),
            What::Unknown { key, .. } => write!(f, "unknown key `{key}`"),
            What::Variant { expected, .. } => {
                write!(f, "expected one of {}", suggest::list(expected.iter().copied()))
            }
        }
    }
}

impl std::error::Error for Error {}
