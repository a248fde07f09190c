//! The lowest layer: defaults, and what is missing.

use super::DatabaseUrl;
use super::layout::{Item, LAYOUT};
use crate::problem::{Problem, Problems};
use crate::settings::{Need, Section};
use crate::source::Origin;
use crate::yaml::{Entry, Map, Node, Value};

/// Open files of tenants.
const MAX_OPEN: &str = "256";

/// Connections to a server, for all tenants together.
const SERVER_CONNECTIONS: &str = "16";

/// Adds the default of every absent key, and reports absent keys that have none.
///
/// A default is a text that its key types, exactly as if it had been written.
pub(crate) fn complete(root: &mut Node, problems: &mut Problems) {
    let origin = root.origin.clone();
    if let Some(map) = root.map_mut() {
        complete_items(map, LAYOUT, &origin, problems);
    }
    complete_database(root);
}

/// The defaults that depend on the kind of database.
fn complete_database(root: &mut Node) {
    let has_servers = root.find("services.database.servers").is_some_and(|node| !node.is_null());
    let is_server = match root.find("services.database.url").map(|node| &node.value) {
        _ if has_servers => true,
        Some(Value::Text(url)) => DatabaseUrl::server_part(url).is_some(),
        _ => return,
    };
    let database = root.map_mut().and_then(|map| map.get_mut("services")).and_then(Node::map_mut);
    let Some(database) = database.and_then(|map| map.get_mut("database")).and_then(Node::map_mut) else {
        return;
    };
    let (key, default) = if is_server { ("connections", SERVER_CONNECTIONS) } else { ("max_open", MAX_OPEN) };
    if database.entry(key).is_none_or(|entry| entry.node.is_null() || entry.node.origin.is_default()) {
        let origin = Origin::default_value();
        let node = Node::loose(default, origin.clone());
        database.set(Entry { key: key.to_owned(), origin, node });
    }
}

fn complete_items(map: &mut Map, items: &'static [Item], origin: &Origin, problems: &mut Problems) {
    for item in items {
        let optional = matches!(item, Item::Choice(..));
        if !optional && map.entry(item.name()).is_none() {
            let node = Node::empty_map(Origin::default_value());
            map.entries.push(Entry { key: item.name().to_owned(), origin: origin.clone(), node });
        }
        let Some(entry) = map.entries.iter_mut().find(|entry| entry.key == item.name()) else { continue };
        // A section with nothing below it; a choice with nothing below it was reported.
        if entry.node.is_null() && !optional {
            entry.node = Node::empty_map(entry.node.origin.clone());
        }
        let origin = entry.origin.clone();
        let Some(map) = entry.node.map_mut() else { continue };
        match item {
            Item::Section(_, section) | Item::Choice(_, section) => {
                complete_section(map, section, section.path, &origin, problems);
            }
            Item::Parent(_, section, items) => {
                complete_section(map, section, section.path, &origin, problems);
                complete_items(map, items, &origin, problems);
            }
            Item::Group(_, _, items) => complete_items(map, items, &origin, problems),
            Item::Named(name, _, section) => {
                for entry in &mut map.entries {
                    let path = format!("{name}.{}", entry.key);
                    if let Some(map) = entry.node.map_mut() {
                        complete_section(map, section, &path, &entry.origin, problems);
                    }
                }
            }
        }
    }
}

fn complete_section(
    map: &mut Map,
    section: &'static Section,
    path: &str,
    origin: &Origin,
    problems: &mut Problems,
) {
    for key in section.keys {
        if map
            .entry(key.name)
            .is_some_and(|entry| !entry.node.is_null() || key.nullable || matches!(key.need, Need::Required))
        {
            continue;
        }
        match key.need {
            Need::Required => {
                let path = format!("{path}.{}", key.name);
                let problem = Problem::at(origin, format!("`{path}` is missing"));
                problems.push(
                    problem
                        .help(format!(
                            "add `{}:` below `{}:`, {}",
                            key.name,
                            section.path.rsplit('.').next().unwrap_or_default(),
                            (key.expected)()
                        ))
                        .about(path),
                );
            }
            Need::Optional => {}
            Need::Default(default) => {
                let origin = Origin::default_value();
                map.set(Entry {
                    key: key.name.to_owned(),
                    origin: origin.clone(),
                    node: Node::loose(default, origin),
                });
            }
        }
    }
}
