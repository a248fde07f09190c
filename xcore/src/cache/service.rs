//! The cache service of an app: makes the handles.

use std::fmt;
use std::sync::Arc;

use super::CacheError;
use super::backend::CacheBackend;
use super::handle::{Scope, SharedCache, TenantCache};
use super::memory::Memory;
use super::pattern::Pattern;
use super::space::Space;
use crate::tenancy::{Tenant, TenantId};

/// The cache of an app. The framework makes the handles of plugins from it; a plugin never holds one.
#[derive(Clone)]
pub struct Cache {
    backend: Arc<dyn CacheBackend>,
    max_value: usize,
    isolate: bool,
}

/// How `services.cache` and `tenancy.isolate_cache` are set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheSettings {
    /// Bytes that all entries may take together, keys and bookkeeping included.
    pub(crate) capacity: u64,
    /// Bytes that one value may have as JSON.
    pub(crate) max_value: u64,
    /// Whether each tenant has keys of its own.
    pub(crate) isolate: bool,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { capacity: 64 << 20, max_value: 1 << 20, isolate: true }
    }
}

impl Cache {
    /// A cache in the memory of this process.
    pub(crate) fn memory(settings: CacheSettings) -> Self {
        Self::on(Arc::new(Memory::new(settings.capacity)), settings)
    }

    /// A cache on any backend.
    pub(crate) fn on(backend: Arc<dyn CacheBackend>, settings: CacheSettings) -> Self {
        // A value that could never be kept is an error when it is set, not a miss later.
        let max_value = settings.max_value.min(settings.capacity);
        Self {
            backend,
            max_value: usize::try_from(max_value).unwrap_or(usize::MAX),
            isolate: settings.isolate,
        }
    }

    /// The handle of one tenant. Costs two reference counts.
    pub(crate) fn tenant(&self, tenant: &Tenant) -> TenantCache {
        TenantCache(self.scope(if self.isolate { Space::Tenant(tenant.clone()) } else { Space::Everyone }))
    }

    /// The handle of keys that belong to no tenant, for `services(central)`.
    pub(crate) fn shared(&self) -> SharedCache {
        SharedCache(self.scope(if self.isolate { Space::Shared } else { Space::Everyone }))
    }

    /// Removes every entry of a tenant that was deleted and says how many there were.
    ///
    /// With isolation off nothing is known to be the tenant's, so nothing is removed.
    ///
    /// # Errors
    /// When the backend is unavailable.
    pub(crate) async fn forget_tenant(&self, id: &TenantId) -> Result<u64, CacheError> {
        if !self.isolate {
            return Ok(0);
        }
        self.backend.clear(id.as_str(), &Pattern::all()).await
    }

    fn scope(&self, space: Space) -> Scope {
        Scope { backend: Arc::clone(&self.backend), space, max_value: self.max_value }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("max_value", &self.max_value)
            .field("isolate", &self.isolate)
            .finish_non_exhaustive()
    }
}
