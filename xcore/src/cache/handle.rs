//! The handles that plugins hold: a set of keys, typed values, limits.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::backend::{TimeToLive, When};
use super::lock::Purpose;
use super::scope::Scope;
use super::{CacheError, CacheLock, LoadError, LoadOptions, SetOptions, WindowCount};

/// The cache of one tenant. Cheap to clone, and safe to move into a spawned task: it carries its tenant.
///
/// All calls but those that say otherwise are cancellation safe: a dropped call was done in full or not at all.
#[derive(Clone)]
pub struct TenantCache(pub(super) Scope);

/// The keys that belong to no tenant. A plugin gets it through `services(central)` only.
///
/// While isolation is on, no tenant's handle reaches these keys and this handle reaches no tenant's.
/// All calls but those that say otherwise are cancellation safe: a dropped call was done in full or not at all.
#[derive(Clone)]
pub struct SharedCache(pub(super) Scope);

/// Writes the same public operations for both handles. They are two types so that a function that asks
/// for a tenant's cache can never be handed the shared one.
macro_rules! operations {
    ($handle:ident) => {
        impl $handle {
            /// The value of a key, or `None` when it is absent or expired.
            ///
            /// A value that no longer decodes as `T` is a miss and leaves a warning in the log: after a
            /// release that changed a type, the cache fills itself anew.
            ///
            /// # Errors
            /// When the key is outside the limits or the cache is unavailable.
            pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
                self.0.get(key).await
            }

            /// Stores a value with no end of its own, in place of any earlier value and its end.
            ///
            /// # Errors
            /// When the key or value is outside the limits, the value cannot be encoded, or the cache is
            /// unavailable.
            pub async fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<(), CacheError> {
                self.0.set(key, value, None).await
            }

            /// Stores a value that expires after `ttl`. Zero means that it is over already: the key is
            /// absent afterwards.
            ///
            /// # Errors
            /// As `set`.
            pub async fn set_with_ttl<T: Serialize + ?Sized>(
                &self,
                key: &str,
                value: &T,
                ttl: Duration,
            ) -> Result<(), CacheError> {
                self.0.set(key, value, Some(ttl)).await
            }

            /// Stores a value with an end or with tags, see [`SetOptions`].
            ///
            /// # Errors
            /// As `set`; a tag has the limits of a key.
            pub async fn set_with<T: Serialize + ?Sized>(
                &self,
                key: &str,
                value: &T,
                options: SetOptions<'_>,
            ) -> Result<(), CacheError> {
                self.0.set_with(key, value, &options).await
            }

            /// Stores a value when the key is absent, and says whether it did.
            ///
            /// # Errors
            /// As `set`.
            pub async fn set_if_absent<T: Serialize + ?Sized>(
                &self,
                key: &str,
                value: &T,
                ttl: impl Into<Option<Duration>>,
            ) -> Result<bool, CacheError> {
                let ttl = ttl.into();
                self.0.set_when(key, value, ttl, When::Absent, true).await
            }

            /// Stores `value` when the key holds `expected`, in one step, and says whether it did. `None`: when it is absent.
            ///
            /// What is compared is the encoded form, so a type whose order varies, such as a `HashMap`, does not compare equal.
            ///
            /// # Errors
            /// As `set`.
            pub async fn compare_and_swap<T: Serialize + ?Sized>(
                &self,
                key: &str,
                expected: Option<&T>,
                value: &T,
                ttl: impl Into<Option<Duration>>,
            ) -> Result<bool, CacheError> {
                let ttl = ttl.into();
                let when = match expected {
                    None => When::Absent,
                    Some(expected) => When::Equals(self.0.encode(key, expected)?),
                };
                self.0.set_when(key, value, ttl, when, false).await
            }

            /// The values of several keys, in their order. One round trip where there is a server.
            ///
            /// # Errors
            /// As `get`.
            pub async fn get_many<T: DeserializeOwned>(
                &self,
                keys: &[&str],
            ) -> Result<Vec<Option<T>>, CacheError> {
                self.0.get_many(keys).await
            }

            /// Stores several values with one time to live, or none with `None`. Each is stored in one step, but not all together: a
            /// dropped call may have stored some.
            ///
            /// # Errors
            /// As `set`. When a key or value is outside the limits nothing is stored.
            pub async fn set_many<T: Serialize>(
                &self,
                entries: &[(&str, T)],
                ttl: impl Into<Option<Duration>>,
            ) -> Result<(), CacheError> {
                let ttl = ttl.into();
                self.0.set_many(entries, ttl).await
            }

            /// The value of a key, or what `load` gives, which is then stored for `ttl`.
            ///
            /// However many calls ask for an absent key at once, one of them loads and the others wait for it. When it fails, they fail
            /// with it, and nothing is stored. When it panics or is dropped, the next one loads.
            ///
            /// ```no_run
            /// # use std::time::Duration;
            /// # async fn action(cache: &xcore::cache::TenantCache) -> Result<(), xcore::cache::LoadError> {
            /// let rate: f64 = cache
            ///     .get_or_load("rate", Duration::from_secs(60), || async { "1.25".parse::<f64>() })
            ///     .await?;
            /// # Ok(()) }
            /// ```
            ///
            /// # Errors
            /// [`LoadError::Load`] when the loader failed. [`LoadError::Cache`] as `get` and `set`; a value that was loaded and could
            /// not be stored because the cache is unavailable is given nevertheless.
            pub async fn get_or_load<T, E, F, Fut>(
                &self,
                key: &str,
                ttl: Duration,
                load: F,
            ) -> Result<T, LoadError>
            where
                T: Serialize + DeserializeOwned,
                E: Into<Box<dyn Error + Send + Sync>>,
                F: FnOnce() -> Fut,
                Fut: Future<Output = Result<T, E>>,
            {
                self.0.get_or_load(key, LoadOptions::new(ttl), load).await
            }

            /// `get_or_load` with options: a stale value meanwhile, one load over all replicas, failures that are remembered. See
            /// [`LoadOptions`]. The loader may run in the background, so it borrows nothing.
            ///
            /// # Errors
            /// As `get_or_load`.
            pub async fn get_or_load_with<T, E, F, Fut>(
                &self,
                key: &str,
                options: LoadOptions,
                load: F,
            ) -> Result<T, LoadError>
            where
                T: Serialize + DeserializeOwned + Send,
                E: Into<Box<dyn Error + Send + Sync>> + Send,
                F: FnOnce() -> Fut + Send + 'static,
                Fut: Future<Output = Result<T, E>> + Send,
            {
                self.0.get_or_refresh(key, options, load).await
            }

            /// Takes the lock of this name for `ttl`, or gives `None` when somebody holds it. Where the cache is on a server, all
            /// replicas share its locks. A lock is no key: it is not listed and not cleared.
            ///
            /// # Errors
            /// When the name is outside the limits of keys or the cache is unavailable, also where that is passed through.
            pub async fn lock(&self, name: &str, ttl: Duration) -> Result<Option<CacheLock>, CacheError> {
                CacheLock::take(&self.0, Purpose::Caller, name, ttl, Duration::ZERO).await
            }

            /// `lock`, which waits at most `wait` for whoever holds it. Nobody is first in line.
            ///
            /// # Errors
            /// As `lock`.
            pub async fn lock_within(
                &self,
                name: &str,
                ttl: Duration,
                wait: Duration,
            ) -> Result<Option<CacheLock>, CacheError> {
                CacheLock::take(&self.0, Purpose::Caller, name, ttl, wait).await
            }

            /// Counts `cost` in a sliding window of this length when that stays within `limit`, in one step. The counter is a key like
            /// others, with a time to live of two windows.
            ///
            /// The part of the last whole window that still counts is taken as even, so a limit is kept to a few per cent, and twice the
            /// limit is never reached.
            ///
            /// # Errors
            /// When the key holds something else, is outside the limits or the cache is unavailable.
            pub async fn count_in_window(
                &self,
                key: &str,
                length: Duration,
                limit: u64,
                cost: u64,
            ) -> Result<WindowCount, CacheError> {
                self.0.count(key, length, limit, cost).await
            }

            /// Removes a key and says whether it was there.
            ///
            /// # Errors
            /// When the key is outside the limits or the cache is unavailable.
            pub async fn delete(&self, key: &str) -> Result<bool, CacheError> {
                self.0.delete(key).await
            }

            /// Whether a key is there and not expired.
            ///
            /// # Errors
            /// When the key is outside the limits or the cache is unavailable.
            pub async fn exists(&self, key: &str) -> Result<bool, CacheError> {
                self.0.exists(key).await
            }

            /// How long a key has left.
            ///
            /// # Errors
            /// When the key is outside the limits or the cache is unavailable.
            pub async fn ttl(&self, key: &str) -> Result<TimeToLive, CacheError> {
                self.0.ttl(key).await
            }

            /// Gives a key a new time to live, or none with `None`, and says whether the key was there.
            /// Zero removes it.
            ///
            /// # Errors
            /// When the key is outside the limits or the cache is unavailable.
            pub async fn expire(
                &self,
                key: &str,
                ttl: impl Into<Option<Duration>>,
            ) -> Result<bool, CacheError> {
                let ttl = ttl.into();
                self.0.expire(key, ttl).await
            }

            /// Adds `by` to a number in one step and gives the sum. An absent key counts as 0 and has no
            /// end; the end of a key that is there stays.
            ///
            /// # Errors
            /// When the key holds no 64-bit integer, the sum would leave its range, the key is outside
            /// the limits or the cache is unavailable.
            pub async fn incr(&self, key: &str, by: i64) -> Result<i64, CacheError> {
                self.0.add(key, by).await
            }

            /// Takes `by` from a number in one step and gives the difference. See `incr`.
            ///
            /// # Errors
            /// As `incr`.
            pub async fn decr(&self, key: &str, by: i64) -> Result<i64, CacheError> {
                let Some(negated) = by.checked_neg() else {
                    return Err(CacheError::Overflow { key: key.to_owned(), by });
                };
                self.incr(key, negated).await
            }

            /// The keys that match, in no order, as they were named when they were set.
            ///
            /// The pattern is a glob as in Redis: `*` is any characters (`:` and `/` too), `?` is one,
            /// `[a-z]` and `[^a-z]` are one in or not in a class, `\` takes the next character as it is.
            /// It applies within these keys only and never sees a prefix. Keys that others set or remove
            /// meanwhile may or may not be listed.
            ///
            /// # Errors
            /// When the pattern is longer than a key may be or the cache is unavailable.
            pub async fn keys(&self, pattern: &str) -> Result<Vec<String>, CacheError> {
                self.0.scan(pattern)?.try_collect().await
            }

            /// `keys`, some at a time as the cache finds them. A key is given once.
            ///
            /// # Errors
            /// When the pattern is longer than a key may be; the stream ends with an error when the cache is unavailable.
            pub fn scan(
                &self,
                pattern: &str,
            ) -> Result<BoxStream<'_, Result<String, CacheError>>, CacheError> {
                self.0.scan(pattern)
            }

            /// Removes what was stored with this tag and says how much there was.
            ///
            /// A dropped call may have removed some of it. On a server, a key that had the tag and was since stored without it may be
            /// removed too, and a value to which `expire` gave more time is found by its tags only until the end that it was stored with:
            /// store it again with `set_with` instead.
            ///
            /// # Errors
            /// When the tag is outside the limits of keys or the cache is unavailable.
            pub async fn invalidate_tag(&self, tag: &str) -> Result<u64, CacheError> {
                self.0.invalidate_tag(tag).await
            }

            /// Removes the keys that match and says how many there were. `clear("*")` removes all of
            /// these keys, and no others. See `keys` for the pattern.
            ///
            /// A dropped call may have removed some of them.
            ///
            /// # Errors
            /// As `keys`.
            pub async fn clear(&self, pattern: &str) -> Result<u64, CacheError> {
                self.0.clear(pattern).await
            }
        }

        impl fmt::Debug for $handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($handle)).field(&self.0.space).finish()
            }
        }
    };
}

operations!(TenantCache);
operations!(SharedCache);
