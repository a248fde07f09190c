//! The backend in the memory of this process, on moka.
//!
//! One moka cache holds the entries of all spaces. Beside it, an index holds the keys of each space and what they weigh: listing or
//! clearing one tenant's keys costs what that tenant has and not what all tenants have, and room is made by the tenant that has
//! most ([`index`]). Expired keys leave the index a little later than the cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream::StreamExt;
use moka::Expiry;
use moka::sync::Cache;

mod index;
mod locks;
mod stored;

use self::index::Index;
use self::locks::Locks;
use self::stored::{KeyLocks, StoredKey};
use super::CacheError;
use super::backend::{AtHand, CacheBackend, Fresh, Names, Operation, TimeToLive, When, Write};
use super::lock::{Grant, Owner};
use super::pattern::Pattern;
use super::space::Key;
use super::window::{Counted, Window};

/// Bytes that an entry takes beside its key and value: what moka and the index keep for it. Measured
/// with a million small entries.
const ENTRY_OVERHEAD: usize = 700;

/// Keys that are looked at before other tasks of the runtime get a turn.
const BATCH: usize = 1024;

/// At most so many entries make room for one that is new.
const VICTIMS: usize = 4096;

/// A time to live beyond this counts as none, which keeps the arithmetic of instants in range.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Entries in memory, bounded by bytes.
///
/// Moka itself evicts nothing: its admission filter may refuse a new key in a full cache, so that a counter would never start to
/// count, and it knows no tenants.
pub(crate) struct Memory {
    /// Hashed with a seed of its own, by a function that takes a third of the time of the standard library's.
    entries: Cache<StoredKey, Entry, foldhash::quality::RandomState>,
    index: Index,
    /// Held while one key is changed, which makes read-then-write steps atomic and keeps the index and
    /// the entries in step. Reading takes no lock.
    changing: KeyLocks,
    locks: Locks,
}

#[derive(Clone)]
struct Entry(Arc<Stored>);

struct Stored {
    value: Bytes,
    /// When it ends. Moka looks at every read, so the end is exact and does not wait for its housekeeping.
    ends: Option<Instant>,
    tags: Box<[Box<str>]>,
    /// Whether it was read or written since it was last asked to make room.
    is_used: AtomicBool,
}

impl Entry {
    fn new(value: Bytes, ends: Option<Instant>, tags: Box<[Box<str>]>) -> Self {
        Self(Arc::new(Stored { value, ends, tags, is_used: AtomicBool::new(true) }))
    }

    fn left(&self) -> Option<Duration> {
        self.0.ends.map(|ends| ends.saturating_duration_since(Instant::now()))
    }

    /// Whether it was used since this was last asked.
    fn take_use(&self) -> bool {
        self.0.is_used.swap(false, Ordering::Relaxed)
    }
}

impl Memory {
    /// An empty cache of `capacity` bytes.
    pub(crate) fn new(capacity: u64) -> Self {
        let index = Index::new(capacity);
        let evicted = index.evicted();
        let entries = Cache::builder()
            .expire_after(EndOfEntry)
            .eviction_listener(move |key, _, cause| {
                // Explicit removals keep the index themselves. This one can be called while a key is
                // locked, so it only takes a note.
                if cause.was_evicted() {
                    evicted.note(StoredKey::clone(&key));
                }
            })
            .build_with_hasher(foldhash::quality::RandomState::default());
        Self { entries, index, changing: KeyLocks::default(), locks: Locks::default() }
    }

    fn live(&self, key: Key<'_>) -> Option<Entry> {
        let entry = self.entries.get(&key)?;
        // Most reads find it set, and then share the line of memory with others.
        if !entry.0.is_used.load(Ordering::Relaxed) {
            entry.0.is_used.store(true, Ordering::Relaxed);
        }
        Some(entry)
    }

    /// Puts an entry or, when it is over already, takes it away. The caller holds the lock of the key.
    fn put(&self, key: Key<'_>, entry: Entry) {
        if entry.0.ends.is_some_and(|ends| ends <= Instant::now()) {
            self.take(key);
            return;
        }
        let stored = StoredKey::new(key);
        let tags: usize = entry.0.tags.iter().map(|tag| tag.len() + 16).sum();
        let weight = stored.len() + entry.0.value.len() + tags + ENTRY_OVERHEAD;
        self.entries.insert(stored.clone(), entry.clone());
        self.index.insert(stored, entry, weight as u64);
    }

    /// Removes an entry and says whether it was live. The caller holds the lock of the key.
    fn take(&self, key: Key<'_>) -> bool {
        let was_live = self.entries.get(&key).is_some();
        self.entries.invalidate(&key);
        self.index.remove(&StoredKey::new(key));
        was_live
    }

    /// Stores a value in place of any other.
    pub(crate) fn set(&self, key: Key<'_>, value: Bytes, ttl: Option<Duration>) {
        self.write(key, Write::new(value, ttl));
    }

    /// The value and what it has left.
    pub(crate) fn get_fresh(&self, key: Key<'_>) -> Option<Fresh> {
        self.live(key).map(|entry| (entry.0.value.clone(), entry.left()))
    }

    fn write(&self, key: Key<'_>, write: Write<'_>) -> bool {
        let locked = self.changing.lock(key);
        let fits = match &write.when {
            When::Always => true,
            When::Absent => self.live(key).is_none(),
            When::Equals(expected) => self.live(key).is_some_and(|entry| entry.0.value == *expected),
        };
        if fits {
            let tags = write.tags.iter().map(|tag| Box::from(*tag)).collect();
            self.put(key, Entry::new(write.value, end_after(write.ttl), tags));
        }
        drop(locked);
        self.tidy(key.space);
        fits
    }

    pub(crate) fn delete(&self, key: Key<'_>) -> bool {
        let _locked = self.changing.lock(key);
        self.take(key)
    }

    fn expire(&self, key: Key<'_>, ttl: Option<Duration>) -> bool {
        let _locked = self.changing.lock(key);
        let Some(entry) = self.live(key) else {
            return false;
        };
        self.put(key, Entry::new(entry.0.value.clone(), end_after(ttl), entry.0.tags.clone()));
        true
    }

    fn add(&self, key: Key<'_>, by: i64) -> Result<i64, CacheError> {
        let locked = self.changing.lock(key);
        let (number, ends, tags) = match self.live(key) {
            None => (0, None, Box::default()),
            Some(entry) => (
                integer(&entry.0.value)
                    .ok_or_else(|| CacheError::NotAnInteger { key: key.name.to_owned() })?,
                entry.0.ends,
                entry.0.tags.clone(),
            ),
        };
        let sum =
            number.checked_add(by).ok_or_else(|| CacheError::Overflow { key: key.name.to_owned(), by })?;
        self.put(key, Entry::new(Bytes::from(sum.to_string()), ends, tags));
        drop(locked);
        self.tidy(key.space);
        Ok(sum)
    }

    fn count(&self, key: Key<'_>, window: Window) -> Result<Counted, CacheError> {
        let locked = self.changing.lock(key);
        let stored = match self.live(key) {
            None => None,
            Some(entry) => Some(
                serde_json::from_slice(&entry.0.value)
                    .map_err(|_| CacheError::NotAWindow { key: key.name.to_owned() })?,
            ),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let counted = window.count(u64::try_from(now).unwrap_or(u64::MAX), stored);
        if counted.allowed {
            let ends = end_after(Some(Duration::from_millis(window.length.saturating_mul(2))));
            self.put(key, Entry::new(Bytes::from(counted.to_json()), ends, Box::default()));
        }
        drop(locked);
        self.tidy(key.space);
        Ok(counted)
    }

    fn ttl(&self, key: Key<'_>) -> TimeToLive {
        match self.live(key).map(|entry| entry.left()) {
            None => TimeToLive::Absent,
            Some(None) => TimeToLive::Unlimited,
            Some(Some(left)) => TimeToLive::Remaining(left),
        }
    }

    /// Takes keys that expired out of the index, a few at a time, and makes room after `space` has grown.
    fn tidy(&self, space: &str) {
        for key in self.index.take_evicted() {
            let _locked = self.changing.lock(key.as_key());
            // It may have been set again since, and a set key must stay listed.
            if !self.entries.contains_key(&key) {
                self.index.remove(&key);
            }
        }
        for _ in 0..VICTIMS {
            let Some(key) = self.index.victim(space) else { return };
            self.delete(key.as_key());
        }
    }

    /// Removes all entries of all spaces.
    #[cfg(feature = "redis")]
    pub(crate) fn clear_all(&self) {
        for key in self.index.all_keys() {
            self.delete(key.as_key());
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
    fn at_hand(&self, key: Key<'_>, read: &mut dyn FnMut(&[u8])) -> AtHand {
        match self.live(key) {
            Some(entry) => {
                read(&entry.0.value);
                AtHand::Shown
            }
            None => AtHand::Absent,
        }
    }

    fn get<'a>(&'a self, key: Key<'a>) -> Operation<'a, Option<Bytes>> {
        Operation::ready(Ok(self.live(key).map(|entry| entry.0.value.clone())))
    }

    fn get_fresh<'a>(&'a self, key: Key<'a>) -> Operation<'a, Option<Fresh>> {
        Operation::ready(Ok(self.get_fresh(key)))
    }

    fn get_many<'a>(&'a self, keys: Vec<Key<'a>>) -> Operation<'a, Vec<Option<Bytes>>> {
        let values = keys.into_iter().map(|key| self.live(key).map(|entry| entry.0.value.clone()));
        Operation::ready(Ok(values.collect()))
    }

    fn write<'a>(&'a self, key: Key<'a>, write: Write<'a>) -> Operation<'a, bool> {
        Operation::ready(Ok(self.write(key, write)))
    }

    fn write_many<'a>(&'a self, entries: Vec<(Key<'a>, Bytes)>, ttl: Option<Duration>) -> Operation<'a, ()> {
        for (key, value) in entries {
            self.set(key, value, ttl);
        }
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

    fn count<'a>(&'a self, key: Key<'a>, window: Window) -> Operation<'a, Counted> {
        Operation::ready(self.count(key, window))
    }

    fn scan<'a>(&'a self, space: &'a str, pattern: Pattern) -> Names<'a> {
        let names = async move {
            let mut names = Vec::new();
            self.for_each_match(space, &pattern, |key| {
                if self.entries.contains_key(&key) {
                    names.push(key.name.to_owned());
                }
            })
            .await?;
            Ok(names)
        };
        futures_util::stream::once(names).boxed()
    }

    fn clear<'a>(&'a self, space: &'a str, pattern: &'a Pattern) -> Operation<'a, u64> {
        Operation::waiting(async move {
            let mut removed = 0;
            self.for_each_match(space, pattern, |key| removed += u64::from(self.delete(key))).await?;
            Ok(removed)
        })
    }

    fn invalidate_tag<'a>(&'a self, space: &'a str, tag: &'a str) -> Operation<'a, u64> {
        Operation::waiting(async move {
            let mut removed = 0;
            self.for_each_match(space, &Pattern::all(), |key| {
                let _locked = self.changing.lock(key);
                let has_tag = |entry: &Entry| entry.0.tags.iter().any(|own| **own == *tag);
                if self.entries.get(&key).is_some_and(|entry| has_tag(&entry)) {
                    removed += u64::from(self.take(key));
                }
            })
            .await?;
            Ok(removed)
        })
    }

    fn forget<'a>(&'a self, space: &'a str) -> Operation<'a, u64> {
        self.locks.forget(space);
        Operation::waiting(async move { self.clear(space, &Pattern::all()).await })
    }

    fn acquire<'a>(&'a self, key: Key<'a>, owner: &'a Owner, ttl: Duration) -> Operation<'a, Grant> {
        Operation::ready(Ok(self.locks.acquire(key, owner, ttl)))
    }

    fn extend<'a>(&'a self, key: Key<'a>, owner: &'a Owner, ttl: Duration) -> Operation<'a, bool> {
        Operation::ready(Ok(self.locks.extend(key, owner, ttl)))
    }

    fn release<'a>(&'a self, key: Key<'a>, owner: &'a Owner) -> Operation<'a, bool> {
        Operation::ready(Ok(self.locks.release(key, owner)))
    }

    fn limit(&self, space: &str, bytes: Option<u64>) {
        self.index.limit(space, bytes);
        self.tidy(space);
    }

    fn retain_limits(&self, is_kept: &dyn Fn(&str) -> bool) {
        self.index.retain_limits(is_kept);
    }
}

/// Tells moka when an entry ends, so that its room is given back.
struct EndOfEntry;

impl Expiry<StoredKey, Entry> for EndOfEntry {
    fn expire_after_create(&self, _: &StoredKey, entry: &Entry, now: Instant) -> Option<Duration> {
        entry.0.ends.map(|ends| ends.saturating_duration_since(now))
    }

    fn expire_after_update(
        &self,
        _: &StoredKey,
        entry: &Entry,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        entry.0.ends.map(|ends| ends.saturating_duration_since(now))
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
