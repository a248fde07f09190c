//! The cache entries of a tenant, when it comes and when it goes.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tracing::{info, warn};

use super::{TenantError, Tenants};
use crate::plugin::{Runtime, chain};
use crate::tenancy::TenantId;

/// How long it rests before it tries again to empty the cache of a tenant that was made without, at first and at last.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

impl Tenants {
    /// Empties the cache of a name that becomes free, or is about to. What was not emptied keeps the name taken: nobody else sees
    /// what is left.
    pub(super) async fn forget_cached(&self, id: &TenantId) -> Result<(), TenantError> {
        let Some(cache) = &self.runtime.cache else { return Ok(()) };
        cache.forget_tenant(id).await.map(drop).map_err(|source| TenantError::Cache { id: *id, source })
    }

    /// Empties the cache of a name that a new tenant has, once more: a process that could not reach the directory may have written
    /// after the name became free. An app that by its configuration works without its cache makes tenants without it as well, and
    /// empties it when it is back.
    pub(super) async fn empty_cache_of_new(&self, id: &TenantId) -> Result<(), TenantError> {
        let emptied = self.forget_cached(id).await;
        let Err(TenantError::Cache { source, .. }) = &emptied else { return emptied };
        let is_passed = |cache: &crate::cache::Cache| cache.passes(source);
        if !self.runtime.cache.as_ref().is_some_and(is_passed) {
            return emptied;
        }
        warn!(tenant = %id, error = %chain(source), "the tenant is made while the cache is away; its cache is emptied when it is back");
        tokio::spawn(empty_later(Arc::downgrade(&self.runtime), *id));
        Ok(())
    }
}

/// Empties the cache of a tenant when it is back. Runs until then, or until the app goes away.
async fn empty_later(runtime: Weak<Runtime>, id: TenantId) {
    let mut retry = FIRST_RETRY;
    loop {
        tokio::time::sleep(retry).await;
        let Some(runtime) = runtime.upgrade() else { return };
        let Some(cache) = &runtime.cache else { return };
        match cache.forget_tenant(&id).await {
            Ok(entries) => {
                info!(tenant = %id, entries, "the cache is back, and that of the tenant is emptied");
                return;
            }
            Err(_) => retry = (retry * 2).min(LAST_RETRY),
        }
    }
}
