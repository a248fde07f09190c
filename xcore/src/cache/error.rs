//! What can go wrong with a cache.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::space::MAX_KEY;
use crate::tenancy::TenantId;

/// Why the cache did not do what it was asked.
///
/// A value that is absent, expired or no longer decodes is not an error: it is a miss.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The key has no characters.
    #[error("a cache key cannot be empty; name what is cached, such as `last_order`")]
    EmptyKey,
    /// The tenant was deleted while a handle of it was still held.
    #[error("tenant `{tenant}` was deleted, so it has no cache")]
    TenantDeleted {
        /// The tenant.
        tenant: TenantId,
    },
    /// The key or pattern is longer than [`MAX_KEY`] bytes.
    #[error(
        "a cache key or pattern has at most {MAX_KEY} bytes, this one has {len}; hash the long part of it"
    )]
    KeyTooLong {
        /// How many bytes it has.
        len: usize,
    },
    /// The value is larger than `services.cache.max_value` allows.
    #[error(
        "the value for cache key `{key}` has {len} bytes and the limit is {limit}; store less or raise services.cache.max_value"
    )]
    ValueTooLarge {
        /// The key, as the caller named it.
        key: String,
        /// How many bytes the value has as it is stored.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The value cannot be written by the codec, `services.cache.codec`.
    #[error("the value for cache key `{key}` cannot be written as JSON or MessagePack")]
    Encode {
        /// The key, as the caller named it.
        key: String,
        /// What serde reported.
        source: Box<dyn Error + Send + Sync>,
    },
    /// `incr` or `decr` met a value that is no 64-bit integer.
    #[error(
        "cache key `{key}` does not hold a 64-bit integer, so it cannot be counted up or down; delete it or use another key"
    )]
    NotAnInteger {
        /// The key, as the caller named it.
        key: String,
    },
    /// `incr` or `decr` would leave the range of `i64`. The stored number is unchanged.
    #[error(
        "counting cache key `{key}` by {by} leaves the range of a 64-bit integer; the stored number is unchanged"
    )]
    Overflow {
        /// The key, as the caller named it.
        key: String,
        /// By how much it was to change.
        by: i64,
    },
    /// `count_in_window` met a value that it did not store.
    #[error("cache key `{key}` does not hold a sliding window; delete it or use another key")]
    NotAWindow {
        /// The key, as the caller named it.
        key: String,
    },
    /// The server behind the cache refused a command: a key holds what another program stored, or its user may not do this.
    #[error("the cache server refused a command")]
    Refused {
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server behind the cache did not answer.
    #[error("the cache is not available; the call may be repeated later")]
    Unavailable {
        /// What the backend reported.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Why `get_or_load` gave no value.
///
/// Where several calls waited for one load, all of them get its failure.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LoadError {
    /// The cache could not be asked.
    Cache(Arc<CacheError>),
    /// The loader failed with this error.
    Load(Arc<dyn Error + Send + Sync>),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cache(_) => "the cache could not be asked for a value to load",
            Self::Load(_) => "a value that is not cached could not be loaded",
        })
    }
}

impl Error for LoadError {
    /// The failure itself, so that an action answers as if it had met it without a cache between.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Cache(source) => &**source,
            Self::Load(source) => &**source,
        })
    }
}

impl From<CacheError> for LoadError {
    fn from(error: CacheError) -> Self {
        Self::Cache(Arc::new(error))
    }
}

impl CacheError {
    /// Whether the backend was out of reach, so that the same call may succeed later.
    ///
    /// HTTP answers such an error with 503 and `Retry-After`, every other one with 500. The memory
    /// backend is never unavailable.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
