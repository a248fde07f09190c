//! `${VAR}`, `${VAR:-default}` and `$$` inside values.
//!
//! References are resolved in the parsed tree, so that no value of a variable can become structure.

use std::collections::BTreeMap;

use crate::problem::{Problem, Problems};
use crate::source::Source;
use crate::yaml::{Node, Value};

/// What is known of the environment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Variables<'a> {
    /// Nothing, while building: defaults are checked, the rest is pending.
    Unknown,
    /// All of it, at start.
    Known(&'a BTreeMap<String, String>),
}

/// Resolves every reference below `node`, whose dotted key is `path`.
pub(crate) fn interpolate(node: &mut Node, path: &str, variables: Variables<'_>, problems: &mut Problems) {
    // A value that an environment variable set is taken as it is: a secret may hold a `$`.
    if matches!(*node.origin.source, Source::Variable { .. }) && !matches!(node.value, Value::Map(_)) {
        return;
    }
    let text = match &mut node.value {
        Value::Map(map) => {
            for entry in &mut map.entries {
                let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                interpolate(&mut entry.node, &path, variables, problems);
            }
            return;
        }
        Value::List(list) => {
            for (index, element) in list.iter_mut().enumerate() {
                interpolate(element, &format!("{path}[{index}]"), variables, problems);
            }
            return;
        }
        // A text in the place of the whole configuration is reported by the check of the keys.
        Value::Text(text) if text.contains('$') && !path.is_empty() => text.clone(),
        _ => return,
    };
    match resolve(&text, variables) {
        Ok(Resolved { text, used, has_reference }) => {
            node.value = Value::Text(text);
            node.loose = has_reference;
            node.variables = used;
        }
        Err(Unresolved::Pending) => node.value = Value::Pending,
        Err(Unresolved::Unset { name }) => {
            let problem = Problem::at(
                &node.origin,
                format!("`{path}` needs the environment variable `{name}`, which is not set"),
            );
            problems.push(
                problem.help(format!("set `{name}`, or give a default: `${{{name}:-default}}`")).about(path),
            );
            node.value = Value::Pending;
        }
        Err(Unresolved::Malformed { what }) => {
            let problem = Problem::at(&node.origin, format!("`{path}` {what}"));
            problems.push(
                problem
                    .help("write `${NAME}` or `${NAME:-default}`, and `$$` for a dollar sign before `{`")
                    .about(path),
            );
            node.value = Value::Pending;
        }
    }
}

struct Resolved {
    text: String,
    /// Variables whose value went in. A default is not counted: it stands in the file for everyone to read.
    used: Vec<String>,
    has_reference: bool,
}

enum Unresolved {
    Pending,
    Unset { name: String },
    Malformed { what: String },
}

fn resolve(text: &str, variables: Variables<'_>) -> Result<Resolved, Unresolved> {
    let mut resolved = Resolved { text: String::new(), used: Vec::new(), has_reference: false };
    let mut rest = text;
    // Malformed references are reported before unset ones: they cannot be mended from outside.
    let mut unresolved = None;
    while let Some(dollar) = rest.find('$') {
        resolved.text.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            resolved.text.push('$');
            rest = tail;
        } else if let Some(inner) = after.strip_prefix('{') {
            let Some(end) = inner.find('}') else {
                return Err(Unresolved::Malformed { what: "has a `${` without `}`".to_owned() });
            };
            let (reference, tail) = (&inner[..end], &inner[end + 1..]);
            resolved.has_reference = true;
            rest = tail;
            if let Err(error) = one(reference, variables, &mut resolved) {
                match error {
                    Unresolved::Malformed { .. } => return Err(error),
                    error => drop(unresolved.get_or_insert(error)),
                }
            }
        } else {
            resolved.text.push('$');
            rest = after;
        }
    }
    resolved.text.push_str(rest);
    unresolved.map_or(Ok(resolved), Err)
}

fn one(reference: &str, variables: Variables<'_>, resolved: &mut Resolved) -> Result<(), Unresolved> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !name.starts_with(letter) || !name.chars().all(|c| letter(c) || c.is_ascii_digit()) {
        return Err(Unresolved::Malformed { what: format!("has `${{{name}}}`, which names no variable") });
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(Unresolved::Malformed {
            what: "has a variable inside the default of a variable, which is not read".to_owned(),
        });
    }
    let value = match variables {
        Variables::Unknown => None,
        Variables::Known(known) => known.get(name),
    };
    match (value, default) {
        // As in a shell, `:-` also stands in for an empty value.
        (Some(value), default) if !value.is_empty() || default.is_none() => {
            resolved.text.push_str(value);
            resolved.used.push(name.to_owned());
            Ok(())
        }
        (_, Some(default)) => {
            resolved.text.push_str(default);
            Ok(())
        }
        (_, None) => Err(match variables {
            Variables::Unknown => Unresolved::Pending,
            Variables::Known(_) => Unresolved::Unset { name: name.to_owned() },
        }),
    }
}
