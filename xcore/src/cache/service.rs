//! The cache service of an app: makes the handles.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::CacheError;
use super::backend::CacheBackend;
use super::codec::Codec;
use super::handle::{SharedCache, TenantCache};
use super::load::Flights;
use super::memory::Memory;
#[cfg(feature = "redis")]
use super::redis::{Redis, RedisSettings};
use super::scope::{Common, Scope};
use super::space::Space;
#[cfg(feature = "redis")]
use super::tiered::Tiered;
use crate::tenancy::{CacheRoom, Tenant, TenantId};

/// The cache of an app. The framework makes the handles of plugins from it; a plugin never holds one.
#[derive(Clone)]
pub struct Cache {
    common: Arc<Common>,
    isolate: bool,
}

/// How `services.cache` and `tenancy.isolate_cache` are set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheSettings {
    /// Bytes that all entries in memory may take together, keys and bookkeeping included.
    pub(crate) capacity: u64,
    /// Bytes that one value may have as it is stored.
    pub(crate) max_value: u64,
    /// How values are written.
    pub(crate) codec: Codec,
    /// Whether a server that is away counts as an empty cache.
    pub(crate) pass_through: bool,
    /// Whether each tenant has keys of its own.
    pub(crate) isolate: bool,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            capacity: 64 << 20,
            max_value: 1 << 20,
            codec: Codec::Json,
            pass_through: false,
            isolate: true,
        }
    }
}

impl Cache {
    /// A cache in the memory of this process.
    pub(crate) fn memory(settings: CacheSettings) -> Self {
        Self::on(Arc::new(Memory::new(settings.capacity)), settings)
    }

    /// A cache on a server. Connects in the background; called within a runtime.
    #[cfg(feature = "redis")]
    pub(crate) fn redis(server: RedisSettings, settings: CacheSettings) -> Self {
        Self::on(Arc::new(Redis::new(server)), settings)
    }

    /// A cache on a server, with memory in front of it. Connects in the background; called within a runtime.
    #[cfg(feature = "redis")]
    pub(crate) fn tiered(server: RedisSettings, settings: CacheSettings) -> Self {
        Self::on(Arc::new(Tiered::new(server, settings.capacity, settings.isolate)), settings)
    }

    /// A cache on any backend.
    pub(crate) fn on(backend: Arc<dyn CacheBackend>, settings: CacheSettings) -> Self {
        // A value that could never be kept is an error when it is set, not a miss later.
        let max_value = settings.max_value.min(settings.capacity);
        let common = Common {
            backend,
            max_value: usize::try_from(max_value).unwrap_or(usize::MAX),
            codec: settings.codec,
            pass_through: settings.pass_through,
            flights: Flights::default(),
            passed: AtomicU64::new(0),
        };
        Self { common: Arc::new(common), isolate: settings.isolate }
    }

    /// The handle of one tenant. Costs two reference counts.
    pub(crate) fn tenant(&self, tenant: &Tenant) -> TenantCache {
        TenantCache(self.scope(if self.isolate { Space::Tenant(tenant.clone()) } else { Space::Everyone }))
    }

    /// The handle of keys that belong to no tenant, for `services(central)`.
    pub(crate) fn shared(&self) -> SharedCache {
        SharedCache(self.scope(if self.isolate { Space::Shared } else { Space::Everyone }))
    }

    /// Removes all that a tenant had that was deleted and says how many entries there were. Where the cache is on a server, they are
    /// gone from the memory of every replica too.
    ///
    /// With isolation off nothing is known to be the tenant's, so nothing is removed.
    ///
    /// # Errors
    /// When the backend is unavailable.
    pub(crate) async fn forget_tenant(&self, id: &TenantId) -> Result<u64, CacheError> {
        if !self.isolate {
            return Ok(0);
        }
        self.common.backend.forget(id.as_str()).await
    }

    /// Whether a call that failed so is answered as if the cache was empty.
    pub(crate) fn passes(&self, error: &CacheError) -> bool {
        self.common.pass_through && error.is_unavailable()
    }

    /// Loads that are under way.
    #[cfg(test)]
    pub(crate) fn flights(&self) -> usize {
        self.common.flights.count()
    }

    fn scope(&self, space: Space) -> Scope {
        Scope { common: Arc::clone(&self.common), space }
    }
}

impl CacheRoom for Cache {
    /// The most bytes that a tenant may have in the memory of this process. What is over it goes at once, the least used first. Kept until
    /// it is set again.
    fn limit(&self, tenant: &TenantId, bytes: Option<u64>) {
        if self.isolate {
            self.common.backend.limit(tenant.as_str(), bytes);
        }
    }

    fn retain(&self, is_somebody: &dyn Fn(&str) -> bool) {
        self.common.backend.retain_limits(is_somebody);
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("max_value", &self.common.max_value)
            .field("isolate", &self.isolate)
            .finish_non_exhaustive()
    }
}
