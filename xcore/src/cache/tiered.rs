//! Memory in front of a server.
//!
//! What was read from the server is kept in the memory of this process ([`near`]), and the server tells of each change ([`tracking`]).
//! Writes go to the server; only what is read is kept. While the server's messages may be missed nothing is served from memory, and
//! it is empty when it is served from again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;

mod near;
mod tracking;

#[cfg(test)]
mod tests;

use self::near::Near;
use super::CacheError;
use super::backend::{AtHand, CacheBackend, Fresh, Names, Operation, TimeToLive, Write};
use super::lock::{Grant, Owner};
use super::pattern::Pattern;
use super::redis::{Redis, RedisSettings};
use super::space::Key;
use super::window::{Counted, Window};

/// A server with memory in front of it.
pub(crate) struct Tiered {
    far: Redis,
    near: Arc<Near>,
}

impl Tiered {
    /// Begins to connect. Called within a runtime.
    pub(crate) fn new(settings: RedisSettings, capacity: u64, isolate: bool) -> Self {
        let far = Redis::new(settings.clone());
        let near = Arc::new(Near::new(capacity));
        tokio::spawn(tracking::follow(Arc::downgrade(&near), settings, far.names().clone(), isolate));
        Self { far, near }
    }

    /// The value, from the server when it is not near.
    async fn fetch(&self, key: Key<'_>) -> Result<Option<Fresh>, CacheError> {
        let Some(hold) = self.near.hold(key) else {
            return self.far.get_fresh(key).await;
        };
        self.near.fetch(key, &hold, self.far.settings().timeout, || self.far.get_fresh(key)).await
    }

    /// A call that may change a key, or that shows a newer state of it than what is near. Whatever becomes of it, what is near goes.
    async fn past<T>(&self, key: Key<'_>, call: Operation<'_, T>) -> Result<T, CacheError> {
        let _forget = Forget { near: &self.near, key };
        call.await
    }
}

/// Forgets a key when a call ends, also when it is dropped.
struct Forget<'a> {
    near: &'a Near,
    key: Key<'a>,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.near.forget(self.key);
    }
}

impl CacheBackend for Tiered {
    fn at_hand(&self, key: Key<'_>, read: &mut dyn FnMut(&[u8])) -> AtHand {
        match self.near.at_hand(key, read) {
            AtHand::Shown => AtHand::Shown,
            // The server may have it.
            AtHand::Absent | AtHand::Unknown => AtHand::Unknown,
        }
    }

    fn get<'a>(&'a self, key: Key<'a>) -> Operation<'a, Option<Bytes>> {
        match self.near.get(key) {
            Some((value, _)) => Operation::ready(Ok(Some(value))),
            None => Operation::waiting(async move { Ok(self.fetch(key).await?.map(|(value, _)| value)) }),
        }
    }

    fn get_fresh<'a>(&'a self, key: Key<'a>) -> Operation<'a, Option<Fresh>> {
        match self.near.get(key) {
            Some(fresh) => Operation::ready(Ok(Some(fresh))),
            None => Operation::waiting(self.fetch(key)),
        }
    }

    fn get_many<'a>(&'a self, keys: Vec<Key<'a>>) -> Operation<'a, Vec<Option<Bytes>>> {
        Operation::waiting(async move {
            // All at once: the shared connection sends together what waits together.
            let values = join_all(keys.into_iter().map(|key| self.get(key))).await;
            values.into_iter().collect()
        })
    }

    fn write<'a>(&'a self, key: Key<'a>, write: Write<'a>) -> Operation<'a, bool> {
        Operation::waiting(self.past(key, self.far.write(key, write)))
    }

    fn write_many<'a>(&'a self, entries: Vec<(Key<'a>, Bytes)>, ttl: Option<Duration>) -> Operation<'a, ()> {
        Operation::waiting(async move {
            let _forget: Vec<_> =
                entries.iter().map(|(key, _)| Forget { near: &self.near, key: *key }).collect();
            self.far.write_many(entries, ttl).await
        })
    }

    fn delete<'a>(&'a self, key: Key<'a>) -> Operation<'a, bool> {
        Operation::waiting(self.past(key, self.far.delete(key)))
    }

    fn exists<'a>(&'a self, key: Key<'a>) -> Operation<'a, bool> {
        match self.near.get(key) {
            Some(_) => Operation::ready(Ok(true)),
            None => Operation::waiting(self.past(key, self.far.exists(key))),
        }
    }

    fn ttl<'a>(&'a self, key: Key<'a>) -> Operation<'a, TimeToLive> {
        match self.near.get(key) {
            Some((_, None)) => Operation::ready(Ok(TimeToLive::Unlimited)),
            Some((_, Some(left))) => Operation::ready(Ok(TimeToLive::Remaining(left))),
            None => Operation::waiting(self.past(key, self.far.ttl(key))),
        }
    }

    fn expire<'a>(&'a self, key: Key<'a>, ttl: Option<Duration>) -> Operation<'a, bool> {
        Operation::waiting(self.past(key, self.far.expire(key, ttl)))
    }

    fn add<'a>(&'a self, key: Key<'a>, by: i64) -> Operation<'a, i64> {
        Operation::waiting(self.past(key, self.far.add(key, by)))
    }

    fn count<'a>(&'a self, key: Key<'a>, window: Window) -> Operation<'a, Counted> {
        Operation::waiting(self.past(key, self.far.count(key, window)))
    }

    fn scan<'a>(&'a self, space: &'a str, pattern: Pattern) -> Names<'a> {
        self.far.scan(space, pattern)
    }

    fn clear<'a>(&'a self, space: &'a str, pattern: &'a Pattern) -> Operation<'a, u64> {
        Operation::waiting(async move {
            let removed = self.far.clear(space, pattern).await;
            self.near.forget_space(space).await;
            removed
        })
    }

    fn invalidate_tag<'a>(&'a self, space: &'a str, tag: &'a str) -> Operation<'a, u64> {
        Operation::waiting(async move {
            let removed = self.far.invalidate_tag(space, tag).await;
            self.near.forget_space(space).await;
            removed
        })
    }

    fn forget<'a>(&'a self, space: &'a str) -> Operation<'a, u64> {
        Operation::waiting(async move {
            let removed = self.far.forget(space).await;
            self.near.forget_space(space).await;
            removed
        })
    }

    fn acquire<'a>(&'a self, key: Key<'a>, owner: &'a Owner, ttl: Duration) -> Operation<'a, Grant> {
        self.far.acquire(key, owner, ttl)
    }

    fn extend<'a>(&'a self, key: Key<'a>, owner: &'a Owner, ttl: Duration) -> Operation<'a, bool> {
        self.far.extend(key, owner, ttl)
    }

    fn release<'a>(&'a self, key: Key<'a>, owner: &'a Owner) -> Operation<'a, bool> {
        self.far.release(key, owner)
    }

    fn limit(&self, space: &str, bytes: Option<u64>) {
        self.near.limit(space, bytes);
    }

    fn retain_limits(&self, is_kept: &dyn Fn(&str) -> bool) {
        self.near.retain_limits(is_kept);
    }
}
