//! The cache of a tenant: `ctx.cache`.
//!
//! A plugin that declares `services(cache)` gets a [`TenantCache`] in its context. Every key it names
//! lies in the tenant's own space: `ctx.cache.set("last_order", ..)` of tenant `acme` is stored as
//! `acme:last_order`, and no key, pattern or `clear` of one tenant reaches another's entries. A tenant
//! id holds no `:`, so the first `:` always ends it: `a` with `b:c` never meets `a:b` with `c`.
//!
//! Values are typed and travel through serde as JSON, so that other programs can read them, or as MessagePack with
//! `services.cache.codec: messagepack`.
//!
//! ```no_run
//! # use std::time::Duration;
//! # async fn action(cache: &xcore::cache::TenantCache) -> Result<(), xcore::cache::CacheError> {
//! cache.set_with_ttl("last_order", &42, Duration::from_secs(60)).await?;
//! let last: Option<i32> = cache.get("last_order").await?;
//! let placed = cache.incr("orders:placed", 1).await?;
//! let order_keys = cache.keys("orders:*").await?; // "orders:placed", without the tenant's name
//! # Ok(()) }
//! ```
//!
//! # Where the entries are
//!
//! | `services.cache.backend` | entries | shared by replicas |
//! |---|---|---|
//! | `memory` | in this process, at most `capacity` | no |
//! | `redis` | on a Redis server, or with `cluster: true` a cluster | yes |
//! | `tiered` | the same, and what was read also in this process, at most `capacity` | yes |
//!
//! The last two need the Cargo feature `redis` and `url`. Keys on the server are exactly `tenant:key`, or `prefix:tenant:key`; apps
//! that share a server each need a `prefix`. Locks lie below `xcore-lock:` and tags below `xcore-tag:`, where no tenant's keys can be.
//! With `tiered` a write is seen by the other replicas within milliseconds, no replica gives an older value after a newer
//! one, and while the server's messages could be missed all is read from the server. A user of the server needs its keys
//! (`~prefix:*`), and the categories `@read`, `@write`, `@scripting`, `@connection` and the command `cluster`.
//!
//! While the server is away each call is an error (503 for a client, see [`CacheError::is_unavailable`]), or with
//! `on_failure: pass_through` the cache counts as empty and keeps nothing; the counter `xcore_cache_passed_through_total` of the crate
//! `metrics` counts such calls. Then an invalidation is dropped too, and what was to go is there again when the server is back. Every call
//! ends within `services.cache.timeout`; `keys`, `scan` and `clear` ask the server page by page, and each page does.
//!
//! # What a cache promises
//!
//! Any entry may be gone at any time: the cache is bounded, and in memory it is empty after a restart. A value
//! that was set is readable by the next call, unless it was evicted between the two. Memory that is full is made free by the tenant that
//! has most, of what it used least; a tenant with less than an even share loses nothing to others. With `isolate_cache: false` all
//! tenants share one set of keys, stored without their names. A plugin that needs shared keys while isolation is on declares
//! `services(central)` and gets a [`SharedCache`].
//!
//! # What is loaded once
//!
//! ```no_run
//! # use std::time::Duration;
//! # use xcore::cache::{LoadOptions, TenantCache};
//! # async fn price(_: u32) -> Result<f64, std::io::Error> { Ok(1.0) }
//! # async fn action(cache: &TenantCache) -> Result<(), xcore::cache::LoadError> {
//! let hour = Duration::from_secs(3600);
//! let options = LoadOptions::new(hour).stale_for(hour).lease(Duration::from_secs(5));
//! let price = cache.get_or_load_with("price:7", options, || price(7)).await?;
//! # Ok(()) }
//! ```
//!
//! However many ask for a key that is absent, one of them loads it; with a lease, one over all replicas. See `get_or_load` of the handles.
//!
//! # Limits
//!
//! A key has 1 to [`MAX_KEY`] bytes of any text. A value has at most `services.cache.max_value` bytes as
//! it is stored. What is over a limit is an error and stores nothing.

mod backend;
mod codec;
mod error;
mod handle;
mod load;
mod lock;
mod memory;
mod pattern;
#[cfg(feature = "redis")]
mod redis;
mod scope;
mod service;
mod space;
#[cfg(feature = "redis")]
mod tiered;
mod window;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod isolation;

pub use backend::TimeToLive;
pub(crate) use codec::Codec;
pub use error::{CacheError, LoadError};
pub use handle::{SharedCache, TenantCache};
pub use load::LoadOptions;
pub use lock::CacheLock;
#[cfg(feature = "redis")]
pub(crate) use redis::RedisSettings;
pub use scope::SetOptions;
pub use service::Cache;
pub(crate) use service::CacheSettings;
pub use space::MAX_KEY;
pub use window::WindowCount;
