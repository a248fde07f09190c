//! One layer on top of another, key by key.

use crate::yaml::{Map, Node};

/// Sections whose name alone, with nothing below it, says nothing and removes nothing.
const PLAIN_SECTIONS: &[&str] = &["app", "services", "tenancy", "plugins"];

/// Lays `upper` over `lower`: maps are merged, anything else replaces what was there and brings its own
/// place.
pub(crate) fn merge(lower: &mut Node, upper: Node) {
    let is_map = upper.map().is_some();
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
