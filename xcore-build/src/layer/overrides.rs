//! `XCORE__SECTION__KEY`: environment variables that set keys.
//!
//! A value is a text whose type the key decides; it is never guessed from how it looks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::merge::forget_other_addresses;
use crate::config::{Item, LAYOUT, key_at};
use crate::problem::{Problem, Problems};
use crate::redact;
use crate::schema::Kind;
use crate::source::{Origin, Source};
use crate::suggest;
use crate::yaml::{Entry, Node, Value, parse_float, parse_integer};

/// What the name of an override begins with. Levels are separated by two underscores.
pub(crate) const PREFIX: &str = "XCORE__";

/// Sets every key that the environment overrides.
pub(crate) fn apply_overrides(
    root: &mut Node,
    environment: &BTreeMap<String, String>,
    problems: &mut Problems,
) {
    let address = format!("{PREFIX}SERVICES__DATABASE__URL");
    if environment.contains_key(&address) {
        forget_other_addresses(root, &["servers", "replicas"]);
    }
    for (name, value) in environment {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let origin = Origin::whole(Arc::new(Source::Variable { name: name.clone() }));
        if let Err(problem) = apply(root, rest, value, &origin, name) {
            problems.push(problem);
        }
    }
}

fn apply(root: &mut Node, rest: &str, value: &str, origin: &Origin, name: &str) -> Result<(), Problem> {
    let lower = rest.to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix("plugins__") {
        return apply_to_plugin(root, rest, value, origin, name);
    }
    if let Some(rest) = lower.strip_prefix("services__database__servers__") {
        return apply_to_server(root, rest, value, origin, name);
    }
    let path: Vec<&str> = lower.split("__").collect();
    let Some(key) = key_at(&path) else { return Err(unknown(origin, name, &path)) };
    if let ["tenancy", "plans", plan, _] = path.as_slice() {
        plan_is_listed(root, plan, origin, name)?;
    }
    let hidden = matches!(key.name, "url" | "replicas") || redact::is_secret_key(key.name);
    let variables = if hidden { vec![name.to_owned()] } else { Vec::new() };
    let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
    set(root, &path, Node { variables, ..Node::loose(value, origin.clone()) });
    Ok(())
}

fn apply_to_plugin(
    root: &mut Node,
    rest: &str,
    value: &str,
    origin: &Origin,
    name: &str,
) -> Result<(), Problem> {
    let names: Vec<String> = match root.find("plugins").and_then(Node::map) {
        Some(map) => map.entries.iter().map(|entry| entry.key.clone()).collect(),
        None => Vec::new(),
    };
    // A plugin's name may hold underscores, so it is found by its name and not by cutting.
    let fits =
        |plugin: &&String| rest.strip_prefix(plugin.as_str()).is_some_and(|rest| rest.starts_with("__"));
    let Some(plugin) = names.iter().filter(fits).max_by_key(|plugin| plugin.len()) else {
        let typed = rest.split("__").next().unwrap_or(rest);
        let nearest = suggest::nearest(typed, names.iter().map(String::as_str));
        let help = match nearest {
            Some(plugin) => format!("did you mean `{PREFIX}PLUGINS__{}__..`?", plugin.to_ascii_uppercase()),
            None => format!(
                "the plugins of this configuration are {}",
                suggest::list(names.iter().map(String::as_str))
            ),
        };
        return Err(Problem::at(
            origin,
            format!("`{name}` sets a key of a plugin that is not listed under `plugins`"),
        )
        .help(help));
    };
    let path: Vec<&str> = rest[plugin.len() + 2..].split("__").collect();
    let prefix = ["plugins".to_owned(), plugin.clone()];
    match path.as_slice() {
        ["grants"] => {
            let path = [&prefix[..], &["grants".to_owned()]].concat();
            set(root, &path, Node::loose(value, origin.clone()));
            Ok(())
        }
        ["config", keys @ ..] if !keys.is_empty() && keys.iter().all(|key| !key.is_empty()) => {
            let mut path = [&prefix[..], &["config".to_owned()]].concat();
            for key in keys {
                // Environment variables are written in capitals, a plugin's keys as serde renames them.
                let known = root.find(&path.join(".")).and_then(Node::map);
                let known = known
                    .and_then(|map| map.entries.iter().find(|entry| entry.key.eq_ignore_ascii_case(key)));
                path.push(known.map_or_else(|| (*key).to_owned(), |entry| entry.key.clone()));
            }
            let node = typed_as(root.find(&path.join(".")), value, origin, name)?;
            set(root, &path, node);
            Ok(())
        }
        _ => {
            let upper = plugin.to_ascii_uppercase();
            let help = format!(
                "the keys are `{PREFIX}PLUGINS__{upper}__CONFIG__KEY` and `{PREFIX}PLUGINS__{upper}__GRANTS`"
            );
            Err(Problem::at(origin, format!("`{name}` sets no key of the plugin `{plugin}`")).help(help))
        }
    }
}

/// The address or the replicas of a server that the file names. A server more would be one whose place among the others nobody
/// has said.
fn apply_to_server(
    root: &mut Node,
    rest: &str,
    value: &str,
    origin: &Origin,
    name: &str,
) -> Result<(), Problem> {
    const SERVERS: &str = "services.database.servers";
    let parts: Vec<&str> = rest.split("__").collect();
    let (server, key) = match parts.as_slice() {
        [server] => (*server, "url"),
        [server, key @ ("url" | "replicas")] => (*server, *key),
        [server, ..] => {
            let upper = format!("{PREFIX}SERVICES__DATABASE__SERVERS__{}", server.to_ascii_uppercase());
            let help = format!("the keys are `{upper}__URL` and `{upper}__REPLICAS`");
            return Err(Problem::at(origin, format!("`{name}` sets no key of a server")).help(help));
        }
        [] => return Err(unknown(origin, name, &parts)),
    };
    let names: Vec<&str> = match root.find(SERVERS).and_then(Node::map) {
        Some(map) => map.entries.iter().map(|entry| entry.key.as_str()).collect(),
        None => Vec::new(),
    };
    if !names.contains(&server) {
        let message = format!("`{name}` sets the address of a server that is not listed under `{SERVERS}`");
        let help = match suggest::nearest(server, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => {
                "list the servers in the file, in their order; variables change their addresses".to_owned()
            }
            None => format!("the servers of this configuration are {}", suggest::list(names)),
        };
        return Err(Problem::at(origin, message).help(help));
    }
    let node = Node { variables: vec![name.to_owned()], ..Node::loose(value, origin.clone()) };
    let place = format!("{SERVERS}.{server}");
    let in_full = root.find(&place).and_then(Node::map).is_some();
    let mut path: Vec<String> = place.split('.').map(str::to_owned).collect();
    if !in_full && key == "replicas" {
        // A server that is nothing but an address gets a section for both.
        let address = root.find(&place).cloned();
        let mut section = Node::empty_map(origin.clone());
        if let (Some(map), Some(address)) = (section.map_mut(), address) {
            map.set(Entry { key: "url".to_owned(), origin: address.origin.clone(), node: address });
            map.set(Entry { key: key.to_owned(), origin: origin.clone(), node });
        }
        set(root, &path, section);
        return Ok(());
    }
    if in_full {
        path.push(key.to_owned());
    }
    set(root, &path, node);
    Ok(())
}

/// A plan more, by a slip in its name, would be one that no tenant has.
fn plan_is_listed(root: &Node, plan: &str, origin: &Origin, name: &str) -> Result<(), Problem> {
    const PLANS: &str = "tenancy.plans";
    let names: Vec<&str> = match root.find(PLANS).and_then(Node::map) {
        Some(map) => map.entries.iter().map(|entry| entry.key.as_str()).collect(),
        None => Vec::new(),
    };
    if names.contains(&plan) {
        return Ok(());
    }
    let help = match suggest::nearest(plan, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "list the plans in the file; variables change their limits".to_owned(),
        None => format!("the plans of this configuration are {}", suggest::list(names)),
    };
    let message = format!("`{name}` sets a limit of a plan that is not listed under `{PLANS}`");
    Err(Problem::at(origin, message).help(help))
}

/// The value, of the kind that it replaces. A key that the file does not have, or that is a variable there,
/// takes its type from the plugin's struct.
fn typed_as(replaced: Option<&Node>, value: &str, origin: &Origin, name: &str) -> Result<Node, Problem> {
    let refuse = |kind: &str| {
        let place = replaced.map_or_else(String::new, |node| format!(" at {}", node.origin.display()));
        let message =
            format!("`{name}` must be {kind}, as the value{place} that it replaces (its value is not shown)");
        Problem::at(origin, message)
    };
    let holds_reference = |node: &Node| matches!(&node.value, Value::Text(text) if text.contains("${"));
    let kind = replaced.filter(|node| !holds_reference(node)).map(Node::kind);
    let typed = match kind {
        Some(Kind::Bool) => Value::Bool(value.parse().map_err(|_| refuse("`true` or `false`"))?),
        Some(Kind::Integer) => Value::Integer(parse_integer(value).ok_or_else(|| refuse("a whole number"))?),
        Some(Kind::Float) => Value::Float(parse_float(value).ok_or_else(|| refuse("a number"))?),
        Some(Kind::Text) => Value::Text(value.to_owned()),
        Some(Kind::Map) => {
            return Err(refuse("the name of a key").help("this is a section; add `__KEY` to set a key in it"));
        }
        // Comma separated; the plugin's struct types the elements.
        Some(Kind::List | Kind::Null | Kind::Variable) | None => {
            return Ok(Node { variables: vec![name.to_owned()], ..Node::loose(value, origin.clone()) });
        }
    };
    Ok(Node {
        raw: Some(value.to_owned()),
        variables: vec![name.to_owned()],
        ..Node::new(typed, origin.clone())
    })
}

/// Sets a node, making the sections above it where they are missing.
fn set(root: &mut Node, path: &[String], node: Node) {
    let Some((key, rest)) = path.split_first() else { return };
    if root.map().is_none() {
        // A section with nothing below it; anything else in its place is reported by the check of the keys.
        if !root.is_null() {
            return;
        }
        *root = Node::empty_map(root.origin.clone());
    }
    let Some(map) = root.map_mut() else { return };
    let origin = node.origin.clone();
    if rest.is_empty() {
        map.set(Entry { key: key.clone(), origin, node });
        return;
    }
    if map.entry(key).is_none() {
        map.set(Entry { key: key.clone(), origin: origin.clone(), node: Node::empty_map(origin) });
    }
    if let Some(child) = map.get_mut(key) {
        set(child, rest, node);
    }
}

fn unknown(origin: &Origin, name: &str, path: &[&str]) -> Problem {
    let known = known_names();
    let section = format!("{name}__");
    let inside: Vec<&str> =
        known.iter().map(String::as_str).filter(|other| other.starts_with(&section)).collect();
    if !inside.is_empty() {
        let message = format!("`{name}` names a section, and only keys can be set");
        return Problem::at(origin, message).help(format!("its keys are {}", suggest::list(inside)));
    }
    let problem = Problem::at(origin, format!("`{name}` sets no key of the configuration"));
    // Nearness is judged by the part that differs: every name shares the prefix.
    let typed = path.join("__");
    let parts = known.iter().filter_map(|name| name.strip_prefix(PREFIX));
    match suggest::nearest(&typed, parts) {
        Some(near) => problem.help(format!("did you mean `{PREFIX}{near}`?")),
        None => problem.help(format!("names are {PREFIX}SECTION__KEY, for example {PREFIX}APP__LISTEN; two underscores between the parts")),
    }
}

/// Every name that sets a key with a fixed place.
fn known_names() -> Vec<String> {
    fn walk(items: &'static [Item], prefix: &str, names: &mut Vec<String>) {
        for item in items {
            let path = format!("{prefix}{}__", item.name().to_ascii_uppercase());
            match item {
                Item::Section(_, section) | Item::Choice(_, section) => {
                    names.extend(
                        section.keys.iter().map(|key| format!("{path}{}", key.name.to_ascii_uppercase())),
                    );
                }
                Item::Parent(_, section, items) => {
                    names.extend(
                        section.keys.iter().map(|key| format!("{path}{}", key.name.to_ascii_uppercase())),
                    );
                    walk(items, &path, names);
                }
                Item::Group(_, _, items) => walk(items, &path, names),
                Item::Named(..) => {}
            }
        }
    }
    let mut names = Vec::new();
    walk(LAYOUT, PREFIX, &mut names);
    names
}
