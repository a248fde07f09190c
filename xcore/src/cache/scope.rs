//! What stands behind both handles: a set of keys on a backend, with the settings of the app.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CacheError;
use super::backend::{AtHand, CacheBackend, Operation, TimeToLive, When, Write};
use super::codec::Codec;
use super::load::Flights;
use super::pattern::Pattern;
use super::space::{Key, Space};
use super::window::{Counted, Window, WindowCount};

/// What all handles of an app share.
pub(super) struct Common {
    pub(super) backend: Arc<dyn CacheBackend>,
    pub(super) max_value: usize,
    pub(super) codec: Codec,
    /// A server that is away counts as an empty cache that keeps nothing.
    pub(super) pass_through: bool,
    pub(super) flights: Flights,
    /// Calls that were answered as if there was nothing.
    pub(super) passed: AtomicU64,
}

/// A set of keys.
#[derive(Clone)]
pub(super) struct Scope {
    pub(super) common: Arc<Common>,
    pub(super) space: Space,
}

/// How a value is stored, for `set_with`.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SetOptions<'a> {
    ttl: Option<Duration>,
    tags: Vec<&'a str>,
}

impl<'a> SetOptions<'a> {
    /// Without an end and without tags.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value expires after this time.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The value is also removed by `invalidate_tag` of this tag. May be called several times.
    pub fn tag(mut self, tag: &'a str) -> Self {
        self.tags.push(tag);
        self
    }
}

impl Common {
    /// The answer, or what stands for it when the server is away and that is passed through.
    async fn answer<T>(&self, operation: Operation<'_, T>, without: T) -> Result<T, CacheError> {
        match operation.await {
            Err(error) if self.pass_through && error.is_unavailable() => {
                if self.passed.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(%error, "the cache is away; calls are answered as if it was empty");
                }
                #[cfg(feature = "redis")]
                metrics::counter!("xcore_cache_passed_through_total").increment(1);
                Ok(without)
            }
            answer => answer,
        }
    }
}

impl Scope {
    pub(super) fn backend(&self) -> &dyn CacheBackend {
        &*self.common.backend
    }

    pub(super) fn key<'a>(&'a self, name: &'a str) -> Result<Key<'a>, CacheError> {
        self.space.key(name)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, CacheError> {
        let key = self.key(name)?;
        if let Some(found) = self.at_hand(key) {
            return Ok(found);
        }
        let bytes = self.common.answer(self.backend().get(key), None).await?;
        Ok(bytes.and_then(|bytes| self.decode(name, &bytes)))
    }

    /// The value or that there is none, where nobody has to be asked for it.
    fn at_hand<T: DeserializeOwned>(&self, key: Key<'_>) -> Option<Option<T>> {
        let mut value = None;
        match self.backend().at_hand(key, &mut |bytes| value = self.decode(key.name, bytes)) {
            AtHand::Shown | AtHand::Absent => Some(value),
            AtHand::Unknown => None,
        }
    }

    /// The value, and whether it has at most `stale` left.
    pub(super) async fn get_fresh<T: DeserializeOwned>(
        &self,
        name: &str,
        stale: Duration,
    ) -> Result<Option<(T, bool)>, CacheError> {
        let found = self.common.answer(self.backend().get_fresh(self.key(name)?), None).await?;
        Ok(found.and_then(|(bytes, left)| {
            Some((self.decode(name, &bytes)?, left.is_some_and(|left| left <= stale)))
        }))
    }

    pub(super) async fn get_many<T: DeserializeOwned>(
        &self,
        names: &[&str],
    ) -> Result<Vec<Option<T>>, CacheError> {
        let keys = names.iter().map(|name| self.key(name)).collect::<Result<Vec<_>, _>>()?;
        let nothing = vec![None; names.len()];
        let found = self.common.answer(self.backend().get_many(keys), nothing).await?;
        Ok(names
            .iter()
            .zip(found)
            .map(|(name, bytes)| bytes.and_then(|bytes| self.decode(name, &bytes)))
            .collect())
    }

    pub(super) fn decode<T: DeserializeOwned>(&self, name: &str, bytes: &[u8]) -> Option<T> {
        Codec::decode(bytes)
            .inspect_err(|_| {
                tracing::warn!(
                    space = self.space.prefix(),
                    key = name,
                    wanted = std::any::type_name::<T>(),
                    bytes = bytes.len(),
                    "a cached value no longer decodes and counts as a miss"
                );
            })
            .ok()
    }

    pub(super) fn encode<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<Bytes, CacheError> {
        let bytes = self.common.codec.encode(name, value)?;
        let (len, limit) = (bytes.len(), self.common.max_value);
        if len > limit {
            return Err(CacheError::ValueTooLarge { key: name.to_owned(), len, limit });
        }
        Ok(bytes)
    }

    pub(super) async fn set<T: Serialize + ?Sized>(
        &self,
        name: &str,
        value: &T,
        ttl: Option<Duration>,
    ) -> Result<(), CacheError> {
        let key = self.key(name)?;
        let write = Write::new(self.encode(name, value)?, ttl);
        self.common.answer(self.backend().write(key, write), true).await.map(drop)
    }

    pub(super) async fn set_with<T: Serialize + ?Sized>(
        &self,
        name: &str,
        value: &T,
        options: &SetOptions<'_>,
    ) -> Result<(), CacheError> {
        let key = self.key(name)?;
        for tag in &options.tags {
            self.key(tag)?;
        }
        let write = Write { tags: &options.tags, ..Write::new(self.encode(name, value)?, options.ttl) };
        self.common.answer(self.backend().write(key, write), true).await.map(drop)
    }

    pub(super) async fn set_when<T: Serialize + ?Sized>(
        &self,
        name: &str,
        value: &T,
        ttl: Option<Duration>,
        when: When,
        without: bool,
    ) -> Result<bool, CacheError> {
        let key = self.key(name)?;
        let write = Write { when, ..Write::new(self.encode(name, value)?, ttl) };
        self.common.answer(self.backend().write(key, write), without).await
    }

    pub(super) async fn set_many<T: Serialize>(
        &self,
        entries: &[(&str, T)],
        ttl: Option<Duration>,
    ) -> Result<(), CacheError> {
        let encoded = entries
            .iter()
            .map(|(name, value)| Ok((self.key(name)?, self.encode(name, value)?)))
            .collect::<Result<Vec<_>, CacheError>>()?;
        self.common.answer(self.backend().write_many(encoded, ttl), ()).await
    }

    /// Stores what was encoded already.
    pub(super) async fn keep(
        &self,
        name: &str,
        value: Bytes,
        ttl: Option<Duration>,
        tags: &[&str],
    ) -> Result<(), CacheError> {
        let write = Write { tags, ..Write::new(value, ttl) };
        self.common.answer(self.backend().write(self.key(name)?, write), true).await.map(drop)
    }

    pub(super) async fn delete(&self, name: &str) -> Result<bool, CacheError> {
        self.common.answer(self.backend().delete(self.key(name)?), false).await
    }

    pub(super) async fn exists(&self, name: &str) -> Result<bool, CacheError> {
        self.common.answer(self.backend().exists(self.key(name)?), false).await
    }

    pub(super) async fn ttl(&self, name: &str) -> Result<TimeToLive, CacheError> {
        self.common.answer(self.backend().ttl(self.key(name)?), TimeToLive::Absent).await
    }

    pub(super) async fn expire(&self, name: &str, ttl: Option<Duration>) -> Result<bool, CacheError> {
        self.common.answer(self.backend().expire(self.key(name)?, ttl), false).await
    }

    pub(super) async fn add(&self, name: &str, by: i64) -> Result<i64, CacheError> {
        // An absent key counts as 0.
        self.common.answer(self.backend().add(self.key(name)?, by), by).await
    }

    pub(super) async fn count(
        &self,
        name: &str,
        length: Duration,
        limit: u64,
        cost: u64,
    ) -> Result<WindowCount, CacheError> {
        let window = Window::new(length, limit, cost);
        let allowed = Counted { allowed: true, now: 0, start: 0, current: window.cost, before: 0 };
        let counted = self.common.answer(self.backend().count(self.key(name)?, window), allowed).await?;
        Ok(window.told(counted))
    }

    pub(super) fn scan(
        &self,
        pattern: &str,
    ) -> Result<BoxStream<'_, Result<String, CacheError>>, CacheError> {
        let names = self.backend().scan(self.space.living_prefix()?, Pattern::parse(pattern)?);
        let pass_through = self.common.pass_through;
        let passed = move |page: &Result<Vec<String>, CacheError>| {
            let is_passed = pass_through && page.as_ref().is_err_and(CacheError::is_unavailable);
            std::future::ready(!is_passed)
        };
        let pages = names.take_while(passed);
        Ok(pages.map_ok(|names| futures_util::stream::iter(names.into_iter().map(Ok))).try_flatten().boxed())
    }

    pub(super) async fn clear(&self, pattern: &str) -> Result<u64, CacheError> {
        let pattern = Pattern::parse(pattern)?;
        self.common.answer(self.backend().clear(self.space.living_prefix()?, &pattern), 0).await
    }

    pub(super) async fn invalidate_tag(&self, tag: &str) -> Result<u64, CacheError> {
        let space = self.key(tag)?.space;
        self.common.answer(self.backend().invalidate_tag(space, tag), 0).await
    }
}
