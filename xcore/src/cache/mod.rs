//! The cache of a tenant: `ctx.cache`.
//!
//! A plugin that declares `services(cache)` gets a [`TenantCache`] in its context. Every key it names
//! lies in the tenant's own space: `ctx.cache.set("last_order", ..)` of tenant `acme` is stored as
//! `acme:last_order`, and no key, pattern or `clear` of one tenant reaches another's entries. A tenant
//! id holds no `:`, so the first `:` always ends it: `a` with `b:c` never meets `a:b` with `c`.
//!
//! Values are typed and travel through serde as JSON, so that other programs can read them.
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
//! # What a cache promises
//!
//! Any entry may be gone at any time: the cache is bounded, and it is empty after a restart. A value
//! that was set is readable by the next call, unless it was evicted between the two; the entries that
//! were not used for longest are evicted first. With `isolate_cache: false` all tenants share one set
//! of keys, stored without a prefix. A plugin that needs shared keys while isolation is on declares
//! `services(central)` and gets a [`SharedCache`].
//!
//! # Limits
//!
//! A key has 1 to [`MAX_KEY`] bytes of any text. A value has at most `services.cache.max_value` bytes as
//! JSON. What is over a limit is an error and stores nothing.

mod backend;
mod error;
mod handle;
mod memory;
mod pattern;
mod service;
mod space;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod isolation;

pub use backend::TimeToLive;
pub use error::CacheError;
pub use handle::{SharedCache, TenantCache};
pub use service::Cache;
pub(crate) use service::CacheSettings;
pub use space::MAX_KEY;
