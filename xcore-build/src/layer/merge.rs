//! One layer on top of another, key by key.

use crate::yaml::{Map, Node};

/// Sections whose name alone, with nothing below it, says nothing and removes nothing.
const PLAIN_SECTIONS: &[&str] = &["app", "services", "tenancy", "plugins"];

/// Lays `upper` over `lower`: maps are merged, anything else replaces what was there and brings its own
/// place.
pub(crate) fn merge(lower: &mut Node, upper: Node) {
    let is_map = upper.map().is_some();
    let sets = |key: &str| upper.find(&format!("services.database.{key}")).is_some();
    match (sets("url"), sets("servers")) {
        (true, false) => forget_other_addresses(lower, &["servers", "replicas"]),
        (false, true) => forget_other_addresses(lower, &["url", "replicas"]),
        // Neither, or a contradiction, which is reported.
        _ => {}
    }
    match (lower.map_mut(), is_map) {
        (Some(map), true) => merge_maps(map, upper, true),
        _ => *lower = upper,
    }
}

fn merge_maps(lower: &mut Map, upper: Node, is_root: bool) {
    let crate::yaml::Value::Map(upper) = upper.value else { return };
    for entry in upper.entries {
        let Some(other) = lower.entries.iter_mut().find(|other| other.key == entry.key) else {
            lower.entries.push(entry);
            continue;
        };
        let keeps = is_root && entry.node.is_null() && PLAIN_SECTIONS.contains(&entry.key.as_str());
        match other.node.map_mut() {
            Some(_) if keeps => {}
            Some(map) if entry.node.map().is_some() => merge_maps(map, entry.node, false),
            _ => *other = entry,
        }
    }
}

/// Drops keys of `services.database` that name other addresses than the ones of the layer above: files while developing and
/// several servers in production, for example.
pub(super) fn forget_other_addresses(lower: &mut Node, keys: &[&str]) {
    let services = lower.map_mut().and_then(|map| map.get_mut("services")).and_then(Node::map_mut);
    let database = services.and_then(|map| map.get_mut("database")).and_then(Node::map_mut);
    if let Some(map) = database {
        map.entries.retain(|entry| !keys.contains(&entry.key.as_str()));
    }
}
