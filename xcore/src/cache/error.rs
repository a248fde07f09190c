//! What can go wrong with a cache.

use std::error::Error;

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
        /// How many bytes the value has as JSON.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The value cannot be written as JSON.
    #[error("the value for cache key `{key}` cannot be written as JSON")]
    Encode {
        /// The key, as the caller named it.
        key: String,
        /// What serde reported.
        source: serde_json::Error,
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
    /// The server behind the cache did not answer.
    #[error("the cache is not available; the call may be repeated later")]
    Unavailable {
        /// What the backend reported.
        source: Box<dyn Error + Send + Sync>,
    },
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
