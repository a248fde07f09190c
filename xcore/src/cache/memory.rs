//! The backend in the memory of this process, on moka.
//!
//! One moka cache holds the entries of all spaces and bounds them by bytes. Beside it, an index holds
//! the keys of each space, so that listing or clearing one tenant's keys costs what that tenant has and
//! not what all tenants have. Evicted keys leave the index a little later than the cache.

use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

mod index;
mod stored;

use self::index::Index;
use self::stored::{KeyLocks, StoredKey};
use super::CacheError;
use super::backend::{CacheBackend, Operation, TimeToLive};
use super::pattern::Pattern;
use super::space::Key;

/// Bytes that an entry takes beside its key and value: what moka and the index keep for it. Measured
/// with a million small entries.
const ENTRY_OVERHEAD: usize = 600;

/// Keys that are looked at before other tasks of the runtime get a turn.
const BATCH: usize = 1024;

/// A time to live beyond this counts as none, which keeps the arithmetic of instants in range.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Entries in memory, bounded by bytes; the least recently used one goes first.
///
/// The order of eviction is by use alone, without moka's default admission filter: with the filter a
/// full cache may refuse a new key, so that a counter would never start to count.
pub(crate) struct Memory {
    entries: Cache<StoredKey, Entry>,
    index: Index,
    /// Held while one key is changed, which makes read-then-write steps atomic and keeps the index and
    /// the entries in step. Reading takes no lock.
    changing: KeyLocks,
}

#[derive(Clone)]
struct Entry {
    value: Bytes,
    /// When it ends. Moka looks at every read, so the end is exact and does not wait for its housekeeping.
    ends: Option<Instant>,
}

impl Memory {
    /// An empty cache of `capacity` bytes.
    pub(crate) fn new(capacity: u64) -> Self {
        let index = Index::default();
        let evicted = index.evicted();
        let entries = Cache::builder()
            .max_capacity(capacity)
            .weigher(|key: &StoredKey, entry: &Entry| {
                u32::try_from(key.len() + entry.value.len() + ENTRY_OVERHEAD).unwrap_or(u32::MAX)
            })
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(EndOfEntry)
            .eviction_listener(move |key, _, cause| {
                // Explicit removals keep the index themselves. This one can be called while a key is
                // locked, so it only takes a note.
                if cause.was_evicted() {
                    evicted.note(StoredKey::clone(&key));
                }
            })
            .build();
        Self { entries, index, changing: KeyLocks::default() }
    }

    fn live(&self, key: Key<'_>) -> Option<Entry> {
        self.entries.get(&key)
    }

    /// Puts an entry or, when it is over already, takes it away. The caller holds the lock of the key.
    fn put(&self, key: Key<'_>, entry: Entry) {
        if entry.ends.is_some_and(|ends| ends <= Instant::now()) {
            self.take(key);
            return;
        }
        let stored = StoredKey::new(key);
        self.entries.insert(stored.clone(), entry);
        self.index.insert(stored);
    }

    /// Removes an entry and says whether it was live. The caller holds the lock of the key.
    fn take(&self, key: Key<'_>) -> bool {
        let was_live = self.live(key).is_some();
        self.entries.invalidate(&key);
        self.index.remove(&StoredKey::new(key));
        was_live
    }

    fn set(&self, key: Key<'_>, value: Bytes, ttl: Option<Duration>) {
        let locked = self.changing.lock(key);
        self.put(key, Entry { value, ends: end_after(ttl) });
        drop(locked);
        self.drop_evicted();
    }

    fn delete(&self, key: Key<'_>) -> bool {
        let _locked = self.changing.lock(key);
        self.take(key)
    }

    fn expire(&self, key: Key<'_>, ttl: Option<Duration>) -> bool {
        let _locked = self.changing.lock(key);
        let Some(entry) = self.live(key) else {
            return false;
        };
        self.put(key, Entry { ends: end_after(ttl), ..entry });
        true
    }

    fn add(&self, key: Key<'_>, by: i64) -> Result<i64, CacheError> {
        let locked = self.changing.lock(key);
        let (number, ends) = match self.live(key) {
            None => (0, None),
            Some(entry) => (
                integer(&entry.value).ok_or_else(|| CacheError::NotAnInteger { key: key.name.to_owned() })?,
                entry.ends,
            ),
        };
        let sum =
            number.checked_add(by).ok_or_else(|| CacheError::Overflow { key: key.name.to_owned(), by })?;
        self.put(key, Entry { value: Bytes::from(sum.to_string()), ends });
        drop(locked);
        self.drop_evicted();
        Ok(sum)
    }

    fn ttl(&self, key: Key<'_>) -> TimeToLive {
        match self.live(key) {
            None => TimeToLive::Absent,
            Some(Entry { ends: None, .. }) => TimeToLive::Unlimited,
            Some(Entry { ends: Some(ends), .. }) => {
                TimeToLive::Remaining(ends.saturating_duration_since(Instant::now()))
            }
        }
    }

    /// Takes keys that moka evicted out of the index. A few at a time: each change adds at most about as
    /// many as it evicts.
    fn drop_evicted(&self) {
        for key in self.index.take_evicted() {
            let _locked = self.changing.lock(key.as_key());
            // It may have been set again since, and a set key must stay listed.
            if !self.entries.contains_key(&key) {
                self.index.remove(&key);
            }
        }
    }

    async fn for_each_match(
        &self,
        space: &str,
        pattern: &Pattern,
        mut visit: impl FnMut(Key<'_>) + Send,
    ) -> Result<(), CacheError> {
        let keys = self.index.keys(space);
        for (at, batch) in keys.chunks(BATCH).enumerate() {
            if at > 0 {
                tokio::task::yield_now().await;
            }
            for key in batch.iter().map(StoredKey::as_key).filter(|key| pattern.matches(key.name)) {
                visit(key);
            }
        }
        Ok(())
    }
}

impl CacheBackend for Memory {
    fn get<'a>(&'a self, key: Key<'a>) -> Operation<'a, Option<Bytes>> {
        Operation::ready(Ok(self.live(key).map(|entry| entry.value)))
    }

    fn set<'a>(&'a self, key: Key<'a>, value: Bytes, ttl: Option<Duration>) -> Operation<'a, ()> {
        self.set(key, value, ttl);
        Operation::ready(Ok(()))
    }

    fn delete<'a>(&'a self, key: Key<'a>) -> Operation<'a, bool> {
        Operation::ready(Ok(self.delete(key)))
    }

    fn exists<'a>(&'a self, key: Key<'a>) -> Operation<'a, bool> {
        Operation::ready(Ok(self.live(key).is_some()))
    }

    fn ttl<'a>(&'a self, key: Key<'a>) -> Operation<'a, TimeToLive> {
        Operation::ready(Ok(self.ttl(key)))
    }

    fn expire<'a>(&'a self, key: Key<'a>, ttl: Option<Duration>) -> Operation<'a, bool> {
        Operation::ready(Ok(self.expire(key, ttl)))
    }

    fn add<'a>(&'a self, key: Key<'a>, by: i64) -> Operation<'a, i64> {
        Operation::ready(self.add(key, by))
    }

    fn keys<'a>(&'a self, space: &'a str, pattern: &'a Pattern) -> Operation<'a, Vec<String>> {
        Operation::waiting(async move {
            let mut names = Vec::new();
            self.for_each_match(space, pattern, |key| {
                if self.live(key).is_some() {
                    names.push(key.name.to_owned());
                }
            })
            .await?;
            Ok(names)
        })
    }

    fn clear<'a>(&'a self, space: &'a str, pattern: &'a Pattern) -> Operation<'a, u64> {
        Operation::waiting(async move {
            let mut removed = 0;
            self.for_each_match(space, pattern, |key| removed += u64::from(self.delete(key))).await?;
            Ok(removed)
        })
    }
}

/// Tells moka when an entry ends, so that its room is given back.
struct EndOfEntry;

impl Expiry<StoredKey, Entry> for EndOfEntry {
    fn expire_after_create(&self, _: &StoredKey, entry: &Entry, now: Instant) -> Option<Duration> {
        entry.ends.map(|ends| ends.saturating_duration_since(now))
    }

    fn expire_after_update(
        &self,
        _: &StoredKey,
        entry: &Entry,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        entry.ends.map(|ends| ends.saturating_duration_since(now))
    }
}

fn end_after(ttl: Option<Duration>) -> Option<Instant> {
    ttl.filter(|ttl| *ttl <= LONGEST).and_then(|ttl| Instant::now().checked_add(ttl))
}

fn integer(json: &[u8]) -> Option<i64> {
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests;
