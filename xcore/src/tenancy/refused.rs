//! Names that are refused, remembered for a while.

use std::time::{Duration, Instant};

use super::TenantId;

/// How many names are remembered. A flood of made-up names empties this memory, and no other.
pub(super) const CAPACITY: usize = 10_000;

/// Names with what is known of each.
pub(super) struct Refused<V>(papaya::HashMap<TenantId, (V, Option<Instant>)>);

impl<V> Default for Refused<V> {
    fn default() -> Self {
        Self(papaya::HashMap::new())
    }
}

impl<V: Clone> Refused<V> {
    pub(super) fn fresh(&self, id: &TenantId) -> Option<V> {
        let names = self.0.pin();
        let (value, until) = names.get(id)?;
        until.is_some_and(|until| until > Instant::now()).then(|| value.clone())
    }

    /// Also when it has to be asked for anew.
    pub(super) fn any(&self, id: &TenantId) -> Option<V> {
        self.0.pin().get(id).map(|(value, _)| value.clone())
    }

    pub(super) fn remember(&self, id: TenantId, value: V, ttl: Duration) {
        let names = self.0.pin();
        if names.len() >= CAPACITY {
            names.clear();
        }
        names.insert(id, (value, Instant::now().checked_add(ttl)));
    }

    pub(super) fn forget(&self, id: &TenantId) {
        self.0.pin().remove(id);
    }

    /// All have to be asked for anew.
    pub(super) fn expire(&self) {
        let names = self.0.pin();
        for id in names.keys() {
            names.update(*id, |(value, _)| (value.clone(), None));
        }
    }

    pub(super) fn clear(&self) {
        self.0.pin().clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
