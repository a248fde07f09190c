//! Which keys each space has.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::stored::StoredKey;

/// At most so many evicted keys are taken out of the index by one change.
const EVICTED_AT_ONCE: usize = 64;

/// The keys of each space. It always holds every key that the entries hold, and for a short while some
/// that were evicted.
#[derive(Default)]
pub(super) struct Index {
    shares: [Mutex<HashMap<Box<str>, HashSet<StoredKey>>>; 16],
    hashes: RandomState,
    evicted: Evicted,
}

/// Keys that were evicted and are still in the index.
#[derive(Clone, Default)]
pub(super) struct Evicted(Arc<Mutex<Vec<StoredKey>>>);

impl Index {
    pub(super) fn insert(&self, key: StoredKey) {
        let space = key.as_key().space;
        let mut share = self.share(space);
        match share.get_mut(space) {
            Some(keys) => {
                keys.insert(key);
            }
            None => {
                let space = space.into();
                share.insert(space, HashSet::from([key]));
            }
        }
    }

    pub(super) fn remove(&self, key: &StoredKey) {
        let space = key.as_key().space;
        let mut share = self.share(space);
        let Some(keys) = share.get_mut(space) else {
            return;
        };
        keys.remove(key);
        if keys.is_empty() {
            share.remove(space);
        }
    }

    /// The keys of a space at this moment.
    pub(super) fn keys(&self, space: &str) -> Vec<StoredKey> {
        self.share(space).get(space).map(|keys| keys.iter().cloned().collect()).unwrap_or_default()
    }

    /// Where evictions are noted.
    pub(super) fn evicted(&self) -> Evicted {
        self.evicted.clone()
    }

    /// Some of the evicted keys that are still to be removed.
    pub(super) fn take_evicted(&self) -> Vec<StoredKey> {
        let mut evicted = self.evicted.lock();
        let keep = evicted.len().saturating_sub(EVICTED_AT_ONCE);
        evicted.split_off(keep)
    }

    fn share(&self, space: &str) -> MutexGuard<'_, HashMap<Box<str>, HashSet<StoredKey>>> {
        let share = self.hashes.hash_one(space) % 16;
        // Below 16, so it fits and is in range.
        self.shares[share as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shares.iter().map(|share| share.lock().unwrap().values().map(HashSet::len).sum::<usize>()).sum()
    }
}

impl Evicted {
    pub(super) fn note(&self, key: StoredKey) {
        self.lock().push(key);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<StoredKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
