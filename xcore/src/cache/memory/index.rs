//! Which keys each space has, what they weigh, and which of them makes room.
//!
//! While there is room every space has what it wants. When there is none, the space with the most bytes gives way, and of its
//! entries one that was not used since it was last passed over. So a tenant that fills the cache evicts its own entries, and one that
//! has less than an even share of the whole loses nothing to others.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Entry;
use super::stored::StoredKey;

/// At most so many evicted keys are taken out of the index by one change.
const EVICTED_AT_ONCE: usize = 64;

/// Spaces are ranked by their bytes in steps of this, so that few changes move them.
const STEP: u64 = 4096;

/// The keys of each space. It always holds every key that the entries hold, and for a short while some
/// that expired.
pub(super) struct Index {
    parts: [Mutex<HashMap<Box<str>, Keys>>; 16],
    hashes: RandomState,
    evicted: Evicted,
    capacity: u64,
    total: AtomicU64,
    /// Spaces by their size. Locked within a part, never the other way round.
    ranks: Mutex<BTreeSet<(u64, Box<str>)>>,
    /// The most bytes of some spaces.
    limits: Mutex<HashMap<Box<str>, u64>>,
}

/// The keys of one space.
#[derive(Default)]
struct Keys {
    entries: HashMap<StoredKey, Slot>,
    /// In the order in which they are asked to make room. Elements whose stamp is not that of the slot are left over.
    line: VecDeque<(StoredKey, u64)>,
    stamps: u64,
    bytes: u64,
    /// The step that it is ranked with; 0: not ranked.
    step: u64,
}

struct Slot {
    entry: Entry,
    weight: u64,
    stamp: u64,
}

/// Keys that expired and are still in the index.
#[derive(Clone, Default)]
pub(super) struct Evicted(Arc<Mutex<Vec<StoredKey>>>);

impl Index {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            hashes: RandomState::new(),
            evicted: Evicted::default(),
            capacity,
            total: AtomicU64::new(0),
            ranks: Mutex::default(),
            limits: Mutex::default(),
        }
    }

    pub(super) fn insert(&self, key: StoredKey, entry: Entry, weight: u64) {
        let space = key.as_key().space;
        let mut part = self.part(space);
        if !part.contains_key(space) {
            part.insert(space.into(), Keys::default());
        }
        let Some(keys) = part.get_mut(space) else { return };
        let mut before = 0;
        match keys.entries.get_mut(&key) {
            Some(slot) => {
                before = slot.weight;
                slot.entry = entry;
                slot.weight = weight;
            }
            None => {
                keys.stamps += 1;
                let stamp = keys.stamps;
                keys.line.push_back((key.clone(), stamp));
                keys.entries.insert(key.clone(), Slot { entry, weight, stamp });
                keys.tidy();
            }
        }
        self.weigh(key.as_key().space, keys, before, weight);
    }

    pub(super) fn remove(&self, key: &StoredKey) {
        let space = key.as_key().space;
        let mut part = self.part(space);
        let Some(keys) = part.get_mut(space) else {
            return;
        };
        if let Some(slot) = keys.entries.remove(key) {
            self.weigh(space, keys, slot.weight, 0);
        }
        if keys.entries.is_empty() {
            part.remove(space);
        }
    }

    /// The keys of a space at this moment.
    pub(super) fn keys(&self, space: &str) -> Vec<StoredKey> {
        self.part(space).get(space).map(|keys| keys.entries.keys().cloned().collect()).unwrap_or_default()
    }

    /// The keys of all spaces.
    #[cfg(feature = "redis")]
    pub(super) fn all_keys(&self) -> Vec<StoredKey> {
        let parts = self.parts.iter().map(lock);
        parts
            .flat_map(|part| part.values().flat_map(|keys| keys.entries.keys().cloned()).collect::<Vec<_>>())
            .collect()
    }

    /// A key that has to go so that all keep to their limits, after `space` has grown.
    pub(super) fn victim(&self, space: &str) -> Option<StoredKey> {
        let limit = lock(&self.limits).get(space).copied();
        if let Some(limit) = limit
            && let Some(keys) = self.part(space).get_mut(space)
            && keys.bytes > limit
        {
            return keys.next_in_line();
        }
        if self.total.load(Ordering::Relaxed) <= self.capacity {
            return None;
        }
        let largest = lock(&self.ranks).last().map(|(_, space)| space.clone())?;
        self.part(&largest).get_mut(&largest).and_then(Keys::next_in_line)
    }

    pub(super) fn limit(&self, space: &str, bytes: Option<u64>) {
        let mut limits = lock(&self.limits);
        match bytes {
            Some(bytes) => limits.insert(space.into(), bytes),
            None => limits.remove(space),
        };
    }

    pub(super) fn retain_limits(&self, is_kept: &dyn Fn(&str) -> bool) {
        lock(&self.limits).retain(|space, _| is_kept(space));
    }

    /// How many spaces have a limit.
    #[cfg(test)]
    pub(super) fn limited(&self) -> usize {
        lock(&self.limits).len()
    }

    /// Where expired keys are noted.
    pub(super) fn evicted(&self) -> Evicted {
        self.evicted.clone()
    }

    /// Some of the expired keys that are still to be removed.
    pub(super) fn take_evicted(&self) -> Vec<StoredKey> {
        let mut evicted = lock(&self.evicted.0);
        let keep = evicted.len().saturating_sub(EVICTED_AT_ONCE);
        evicted.split_off(keep)
    }

    /// Changes what a space weighs. Called with its part locked.
    fn weigh(&self, space: &str, keys: &mut Keys, before: u64, after: u64) {
        keys.bytes = keys.bytes + after - before;
        // Each weight is taken away as often as it was added, so neither sum is ever below zero.
        self.total.fetch_add(after, Ordering::Relaxed);
        self.total.fetch_sub(before, Ordering::Relaxed);
        let step = keys.bytes.div_ceil(STEP);
        if step != keys.step {
            let mut ranks = lock(&self.ranks);
            ranks.remove(&(keys.step, Box::from(space)));
            if step > 0 {
                ranks.insert((step, space.into()));
            }
            keys.step = step;
        }
    }

    fn part(&self, space: &str) -> MutexGuard<'_, HashMap<Box<str>, Keys>> {
        let part = self.hashes.hash_one(space) % 16;
        // Below 16, so it fits and is in range.
        lock(&self.parts[part as usize])
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| lock(part).values().map(|keys| keys.entries.len()).sum::<usize>()).sum()
    }

    /// Bytes of all, by the account that is kept and counted anew.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> (u64, u64) {
        let spaces = |part: &Mutex<HashMap<Box<str>, Keys>>| {
            let part = lock(part);
            let weights = part.values().flat_map(|keys| keys.entries.values().map(|slot| slot.weight));
            let counted: u64 = weights.sum();
            assert_eq!(counted, part.values().map(|keys| keys.bytes).sum::<u64>());
            counted
        };
        (self.total.load(Ordering::Relaxed), self.parts.iter().map(spaces).sum())
    }

    /// Elements of all lines.
    #[cfg(test)]
    pub(super) fn in_line(&self) -> usize {
        self.parts.iter().map(|part| lock(part).values().map(|keys| keys.line.len()).sum::<usize>()).sum()
    }

    #[cfg(test)]
    pub(super) fn ranked(&self) -> usize {
        lock(&self.ranks).len()
    }
}

impl Keys {
    /// The first in line that was not used since it was last asked.
    fn next_in_line(&mut self) -> Option<StoredKey> {
        // Twice round: in the first round all of them may have been used.
        for _ in 0..self.line.len() * 2 + 1 {
            let (key, stamp) = self.line.pop_front()?;
            let Some(slot) = self.entries.get(&key).filter(|slot| slot.stamp == stamp) else { continue };
            let was_used = slot.entry.take_use();
            // Also the one that goes stays in line: whoever sets it meanwhile keeps its place.
            self.line.push_back((key.clone(), stamp));
            if !was_used {
                return Some(key);
            }
        }
        None
    }

    /// Takes what is left over out of the line, once it is the greater part.
    fn tidy(&mut self) {
        if self.line.len() > 2 * self.entries.len() + 64 {
            let entries = &self.entries;
            self.line.retain(|(key, stamp)| entries.get(key).is_some_and(|slot| slot.stamp == *stamp));
        }
    }
}

impl Evicted {
    pub(super) fn note(&self, key: StoredKey) {
        lock(&self.0).push(key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
