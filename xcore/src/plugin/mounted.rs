//! A plugin inside a running app.

use std::sync::Arc;

use super::{AppState, Plugin, Runtime, Scope};
use crate::cache::TenantCache;
use crate::db::{SharedDb, TenantDb};
use crate::plugin::Central;
use crate::scheduler::TenantScheduler;
use crate::tenancy::Tenant;

/// The one instance of a plugin, its configuration and the services of its app.
///
/// Generated code makes contexts of it. The services that a plugin declares are there: the app refuses to start
/// otherwise, see `mount`.
pub struct Mounted<P: Plugin> {
    plugin: P,
    config: Arc<P::Config>,
    /// For the actions of tenants, which are most.
    state: AppState,
    central: AppState,
    any: AppState,
    slot: usize,
}

impl<P: Plugin> Mounted<P> {
    pub(crate) fn new(plugin: P, config: P::Config, runtime: Arc<Runtime>, slot: usize) -> Self {
        let state = |scope| AppState::of_plugin::<P>(Arc::clone(&runtime), scope);
        Self {
            plugin,
            config: Arc::new(config),
            state: state(Scope::Tenant),
            central: state(Scope::Central),
            any: state(Scope::Any),
            slot,
        }
    }

    /// Its place among the plugins of the app.
    pub(crate) fn slot(&self) -> usize {
        self.slot
    }

    pub(crate) fn runtime(&self) -> &Arc<Runtime> {
        &self.state.runtime
    }

    /// The instance.
    pub fn plugin(&self) -> &P {
        &self.plugin
    }

    /// The state for extractors of an action that belongs to a tenant.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// The state for extractors of an action with this scope.
    pub fn state_of(&self, scope: Scope) -> &AppState {
        match scope {
            Scope::Tenant => &self.state,
            Scope::Central => &self.central,
            Scope::Any => &self.any,
        }
    }

    /// Its section of `xcore.yaml`.
    pub fn config(&self) -> Arc<P::Config> {
        Arc::clone(&self.config)
    }

    /// The database of a tenant.
    pub fn db(&self, tenant: &Tenant) -> TenantDb {
        // `mount` refused to start a plugin that declares a service the app does not have.
        self.runtime().database.as_ref().expect("a declared service is configured").tenant(tenant)
    }

    /// The cache of a tenant.
    pub fn cache(&self, tenant: &Tenant) -> TenantCache {
        // As above.
        self.runtime().cache.as_ref().expect("a declared service is configured").tenant(tenant)
    }

    /// The scheduler of a tenant.
    pub fn scheduler(&self, tenant: &Tenant) -> TenantScheduler {
        // As above.
        self.runtime().scheduler.as_ref().expect("a declared service is configured").tenant(tenant)
    }

    /// What is not a tenant's.
    pub fn central(&self) -> Central {
        let shared: SharedDb =
            // As above; a grant of `central` needs a database.
            self.runtime().database.as_ref().expect("a declared service is configured").shared();
        Central { db: shared, cache: self.runtime().cache.as_ref().map(|cache| cache.shared()) }
    }
}
