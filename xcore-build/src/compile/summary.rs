//! The schema of a checked tree: presence, kinds and places.

use std::collections::BTreeMap;

use crate::config::DatabaseUrl;
use crate::schema::{ConfigKey, FORMAT, Kind, Literal, Place, PluginSchema, Schema, Services};
use crate::yaml::{Entry, Map, Node, Value};

/// Summarises a tree that has no problems.
pub(super) fn summarise(tree: &Node, package: &str, file: &str) -> Schema {
    let services = tree.find("services").and_then(Node::map);
    let service = |name: &str| services.and_then(|map| map.entry(name)).map(|entry| entry.origin.place());
    Schema {
        format: FORMAT,
        package: package.to_owned(),
        file: file.to_owned(),
        permissive: false,
        services: Services {
            database: service("database"),
            cache: service("cache"),
            scheduler: service("scheduler"),
            postgres: postgres(tree),
            redis: redis(tree),
        },
        plugins: entries(tree.find("plugins"))
            .iter()
            .map(|entry| (entry.key.clone(), plugin(entry)))
            .collect(),
        jwt: section(tree, "tenancy", "jwt"),
        jwks_url: section(tree, "tenancy.jwt", "jwks_url"),
    }
}

/// Where a key is that turns a part of the runtime on, whatever its value is.
fn section(tree: &Node, path: &str, key: &str) -> Option<Place> {
    let entry = tree.find(path)?.map()?.entry(key)?;
    (!entry.node.is_null()).then(|| entry.origin.place())
}

/// Where a server is named; of its address nothing but that is kept.
fn postgres(tree: &Node) -> Option<Place> {
    // Several servers are PostgreSQL, whatever their addresses are.
    if let Some(entry) =
        tree.find("services.database").and_then(Node::map).and_then(|map| map.entry("servers"))
    {
        return Some(entry.origin.place());
    }
    let node = tree.find("services.database.url")?;
    // A variable may name something else at the start, whatever its default is.
    let is_known = node.kind() == Kind::Text;
    let is_server = matches!(&node.value, Value::Text(url) if DatabaseUrl::server_part(url).is_some());
    (is_known && is_server).then(|| node.origin.place())
}

/// Where a cache on a server is asked for.
fn redis(tree: &Node) -> Option<Place> {
    let node = tree.find("services.cache.backend")?;
    let is_server = matches!(&node.value, Value::Text(word) if matches!(word.as_str(), "redis" | "tiered"));
    (node.kind() == Kind::Text && is_server).then(|| node.origin.place())
}

fn entries(node: Option<&Node>) -> &[Entry] {
    node.and_then(Node::map).map_or(&[], |map: &Map| &map.entries)
}

fn plugin(entry: &Entry) -> PluginSchema {
    let grants = match entry.node.find("grants").map(|node| &node.value) {
        Some(Value::List(list)) => list
            .iter()
            .filter_map(|node| match &node.value {
                Value::Text(grant) => Some(grant.clone()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    PluginSchema { place: entry.origin.place(), grants, config: keys(entries(entry.node.find("config"))) }
}

fn keys(entries: &[Entry]) -> BTreeMap<String, ConfigKey> {
    entries.iter().map(|entry| (entry.key.clone(), key(entry))).collect()
}

fn key(entry: &Entry) -> ConfigKey {
    // A text is left out whatever it looks like: it may be a secret.
    let literal = match &entry.node.value {
        Value::Bool(value) => Some(Literal::Bool(*value)),
        Value::Integer(value) => Some(Literal::Integer(*value)),
        Value::Float(value) => Some(Literal::Float(*value)),
        _ => None,
    };
    let literal = literal.filter(|_| !crate::redact::is_secret_key(&entry.key));
    let place: Place = entry.origin.place();
    let children = self::entries(Some(&entry.node));
    ConfigKey { place, kind: entry.node.kind(), literal, children: keys(children) }
}
