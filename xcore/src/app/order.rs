//! The order in which plugins start: what is required comes first.

use crate::plugin::{AnyPlugin, Facts};

/// A plugin and what it says of itself.
pub(super) struct Ordered {
    pub(super) facts: Facts,
    pub(super) plugin: Box<dyn AnyPlugin>,
}

/// Sorts plugins so that each comes after those that it requires, otherwise in the order of the source.
///
/// `app!` has proved that the requirements are there and have no cycle. What is left over all the same is put last, so
/// that nothing is lost and nothing hangs.
pub(super) fn start_order(plugins: Vec<Box<dyn AnyPlugin>>) -> Vec<Ordered> {
    let mut waiting: Vec<Ordered> =
        plugins.into_iter().map(|plugin| Ordered { facts: plugin.facts(), plugin }).collect();
    let mut ordered: Vec<Ordered> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_ready = |candidate: &Ordered| {
            candidate
                .facts
                .requires
                .iter()
                .all(|needed| ordered.iter().any(|done| done.facts.name == needed.name))
        };
        let next = waiting.iter().position(is_ready).unwrap_or(0);
        ordered.push(waiting.remove(next));
    }
    ordered
}
