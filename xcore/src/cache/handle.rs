//! The handles that plugins hold: a set of keys, typed values, limits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CacheError;
use super::backend::{CacheBackend, TimeToLive};
use super::pattern::Pattern;
use super::space::{Key, Space};

/// The cache of one tenant. Cheap to clone, and safe to move into a spawned task: it carries its tenant.
///
/// All calls are cancellation safe: a dropped call was done in full or not at all.
#[derive(Clone)]
pub struct TenantCache(pub(super) Scope);

/// The keys that belong to no tenant. A plugin gets it through `services(central)` only.
///
/// While isolation is on, no tenant's handle reaches these keys and this handle reaches no tenant's.
/// All calls are cancellation safe: a dropped call was done in full or not at all.
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
            /// When the key or value is outside the limits, the value has no JSON form, or the cache is
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

            /// Removes a key and says whether it was there.
            ///
            /// # Errors
            /// When the key is outside the limits or the cache is unavailable.
            pub async fn delete(&self, key: &str) -> Result<bool, CacheError> {
                self.0.backend.delete(self.0.key(key)?).await
            }

            /// Whether a key is there and not expired.
            ///
            /// # Errors
            /// When the key is outside the limits or the cache is unavailable.
            pub async fn exists(&self, key: &str) -> Result<bool, CacheError> {
                self.0.backend.exists(self.0.key(key)?).await
            }

            /// How long a key has left.
            ///
            /// # Errors
            /// When the key is outside the limits or the cache is unavailable.
            pub async fn ttl(&self, key: &str) -> Result<TimeToLive, CacheError> {
                self.0.backend.ttl(self.0.key(key)?).await
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
                self.0.backend.expire(self.0.key(key)?, ttl).await
            }

            /// Adds `by` to a number in one step and gives the sum. An absent key counts as 0 and has no
            /// end; the end of a key that is there stays.
            ///
            /// # Errors
            /// When the key holds no 64-bit integer, the sum would leave its range, the key is outside
            /// the limits or the cache is unavailable.
            pub async fn incr(&self, key: &str, by: i64) -> Result<i64, CacheError> {
                self.0.backend.add(self.0.key(key)?, by).await
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
                self.0.backend.keys(self.0.space.living_prefix()?, &Pattern::parse(pattern)?).await
            }

            /// Removes the keys that match and says how many there were. `clear("*")` removes all of
            /// these keys, and no others. See `keys` for the pattern.
            ///
            /// A dropped call may have removed some of them.
            ///
            /// # Errors
            /// As `keys`.
            pub async fn clear(&self, pattern: &str) -> Result<u64, CacheError> {
                self.0.backend.clear(self.0.space.living_prefix()?, &Pattern::parse(pattern)?).await
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

/// A set of keys on a backend, with the limits of the app.
#[derive(Clone)]
pub(super) struct Scope {
    pub(super) backend: Arc<dyn CacheBackend>,
    pub(super) space: Space,
    pub(super) max_value: usize,
}

impl Scope {
    fn key<'a>(&'a self, name: &'a str) -> Result<Key<'a>, CacheError> {
        self.space.key(name)
    }

    async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, CacheError> {
        let Some(bytes) = self.backend.get(self.key(name)?).await? else {
            return Ok(None);
        };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                tracing::warn!(
                    space = self.space.prefix(),
                    key = name,
                    wanted = std::any::type_name::<T>(),
                    // Only the place: the message of serde can quote the value.
                    line = error.line(),
                    column = error.column(),
                    "a cached value no longer decodes and counts as a miss"
                );
                Ok(None)
            }
        }
    }

    async fn set<T: Serialize + ?Sized>(
        &self,
        name: &str,
        value: &T,
        ttl: Option<Duration>,
    ) -> Result<(), CacheError> {
        let key = self.key(name)?;
        let json = serde_json::to_vec(value)
            .map_err(|source| CacheError::Encode { key: name.to_owned(), source })?;
        if json.len() > self.max_value {
            return Err(CacheError::ValueTooLarge {
                key: name.to_owned(),
                len: json.len(),
                limit: self.max_value,
            });
        }
        self.backend.set(key, Bytes::from(json), ttl).await
    }
}
