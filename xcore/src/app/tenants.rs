//! The life of a tenant: created, migrated, deleted.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::{Mutex, MutexGuard};
use tracing::{error, info, warn};

use crate::db::{Database, DatabaseError, MigrationReport, Migrations};
use crate::error::Error;
use crate::plugin::{AnyMounted, Runtime, TenantHook, chain};
use crate::tenancy::{DirectoryStore, InvalidTenantId, State, StoreError, Tenant, TenantId, TenantRecord};

/// How many tenants are migrated at once. Each writes a file of its own; more only wait for the disk.
const MIGRATIONS_AT_ONCE: usize = 8;

/// Creates, migrates and deletes the tenants of an app.
///
/// Every step can be cut off by a kill: the directory says how far a tenant has come, and the next start finishes what
/// was begun. A tenant is routable only while it is active.
pub struct Tenants {
    pub(super) runtime: Arc<Runtime>,
    pub(super) plugins: Vec<Arc<dyn AnyMounted>>,
    pub(super) migrations: Vec<Migrations>,
    /// What the data of an up-to-date tenant has, as the directory notes it.
    pub(super) version: String,
    /// One step at a time per tenant in this process.
    pub(super) steps: Steps,
}

/// Locks by tenant, a fixed number of them.
pub(super) struct Steps {
    locks: Box<[Mutex<()>]>,
    hasher: RandomState,
}

impl Steps {
    pub(super) fn new() -> Self {
        Self { locks: (0..64).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }

    async fn of(&self, id: &TenantId) -> MutexGuard<'_, ()> {
        self.locks[self.hasher.hash_one(id) as usize % self.locks.len()].lock().await
    }
}

/// Why a tenant could not be created, migrated or deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TenantError {
    /// The name is no tenant id.
    #[error("{name:?} is no tenant id")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: InvalidTenantId,
    },
    /// `public` is no tenant of its own.
    #[error("`public` names what all tenants share; it is a tenant only as `tenancy.default_tenant`")]
    Public,
    /// Requests that name no tenant go there, and the next start would make it again.
    #[error("`{id}` is the default tenant; set another `tenancy.default_tenant` before you delete it")]
    IsDefault {
        /// Its name.
        id: TenantId,
    },
    /// The directory refused.
    #[error("the directory refused")]
    Directory {
        /// Why.
        #[from]
        source: StoreError,
    },
    /// The data could not be made, migrated or dropped.
    #[error("the data of tenant `{id}` could not be {step}; the next start tries again")]
    Data {
        /// The tenant.
        id: TenantId,
        /// What failed: made, migrated or dropped.
        step: &'static str,
        /// Why.
        #[source]
        source: DatabaseError,
    },
    /// The jobs could not be given or taken.
    #[error("the jobs of tenant `{id}` could not be changed; the next start tries again")]
    Jobs {
        /// The tenant.
        id: TenantId,
        /// Why.
        #[source]
        source: crate::scheduler::SchedulerError,
    },
    /// The cache entries could not be dropped.
    #[error("the cache entries of tenant `{id}` could not be dropped; the next start tries again")]
    Cache {
        /// The tenant.
        id: TenantId,
        /// Why.
        #[source]
        source: crate::cache::CacheError,
    },
    /// A plugin's hook failed.
    #[error("the {hook} hook of plugin `{plugin}` failed for tenant `{id}`: {error}; the next start tries again")]
    Hook {
        /// The tenant.
        id: TenantId,
        /// The plugin.
        plugin: &'static str,
        /// The hook.
        hook: &'static str,
        /// Why.
        error: Error,
    },
}

/// The migrations of a report, as `plugin: name`.
pub(super) fn names(report: &MigrationReport) -> Vec<String> {
    let of = |plugin: &crate::db::PluginMigrations| {
        let name = plugin.plugin;
        plugin.names.iter().map(move |migration| format!("{name}: {migration}")).collect::<Vec<_>>()
    };
    report.plugins.iter().flat_map(of).collect()
}

/// What the directory notes of a tenant whose data has all of `migrations`. Another number after an update of the
/// compiler costs one look at each tenant, nothing more.
pub(super) fn version_of(migrations: &[Migrations]) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    let mut count = 0_usize;
    for plugin in migrations {
        plugin.plugin().hash(&mut hasher);
        for migration in (plugin.list)() {
            migration.name().hash(&mut hasher);
            count += 1;
        }
    }
    format!("{count}-{:016x}", hasher.finish())
}

impl Tenants {
    /// Creates a tenant: its data, all migrations, the `tenant_created` hooks; then it is routable.
    ///
    /// # Errors
    /// When the tenant exists, or a step fails. A step that failed is finished by the next start.
    pub async fn create(&self, id: &TenantId) -> Result<(), TenantError> {
        if id.is_public() && self.runtime.admission.default != Some(*id) {
            return Err(TenantError::Public);
        }
        self.store().insert(id).await?;
        self.finish_creating(id).await
    }

    /// All tenants, in whatever state, sorted by name.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn list(&self) -> Result<Vec<TenantRecord>, TenantError> {
        Ok(self.store().list().await?)
    }

    /// Deletes a tenant and everything that belongs to it. It is refused at once and gone when this returns.
    ///
    /// # Errors
    /// When there is no such tenant, or a step fails. A step that failed is finished by the next start.
    pub async fn delete(&self, id: &TenantId) -> Result<(), TenantError> {
        self.begin_deleting(id).await?;
        self.finish_deleting(id).await
    }

    /// Marks a tenant as deleting, so that no process admits it any more.
    pub(super) async fn begin_deleting(&self, id: &TenantId) -> Result<(), TenantError> {
        if self.runtime.admission.default == Some(*id) {
            return Err(TenantError::IsDefault { id: *id });
        }
        if self.store().find(id).await?.is_none() {
            return Err(StoreError::NotFound { id: *id }.into());
        }
        // Whichever state it was in: an unfinished creation is deleted as well.
        for from in [State::Active, State::Provisioning] {
            self.store().advance(id, from, State::Deleting).await?;
        }
        self.runtime.admission.directory.forget(id);
        Ok(())
    }

    /// Finishes what a kill cut off, and creates the tenants that must exist.
    ///
    /// # Errors
    /// When a tenant that must exist cannot be created. One that cannot be finished is left for the next start.
    pub(super) async fn recover(&self, ensure: &[TenantId]) -> Result<(), TenantError> {
        for record in self.store().list().await? {
            let (work, finished) = match record.state {
                State::Provisioning => ("creation", self.finish_creating(&record.id).await),
                State::Deleting => ("deletion", self.finish_deleting(&record.id).await),
                State::Active => continue,
            };
            match finished {
                Ok(()) => info!(tenant = %record.id, work, "finished what was cut off"),
                // It is not routable in that state; the others must not wait for it.
                Err(problem) => {
                    error!(tenant = %record.id, work, error = %chain(&problem), "cannot finish what was cut off");
                }
            }
        }
        for id in ensure {
            match self.create(id).await {
                Ok(()) => info!(tenant = %id, "created"),
                Err(TenantError::Directory { source: StoreError::Exists { .. } | StoreError::ReadOnly { .. } }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The tenants whose data is not what this binary expects. One query, however many tenants there are.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn outdated(&self) -> Result<Vec<TenantId>, TenantError> {
        let all = self.store().list().await?;
        let is_outdated = |record: &TenantRecord| {
            record.state == State::Active && record.version.as_deref() != Some(self.version.as_str())
        };
        Ok(all.into_iter().filter(is_outdated).map(|record| record.id).collect())
    }

    /// Brings one tenant's data up to date; the names of the migrations that were applied.
    ///
    /// # Errors
    /// When a migration fails. Those before it stay applied, and a later run goes on from there.
    pub async fn migrate(&self, id: &TenantId) -> Result<Vec<String>, TenantError> {
        let Some(database) = self.database() else { return Ok(Vec::new()) };
        let report = database.migrate_tenant(id, &self.migrations).await.map_err(|source| TenantError::Data {
            id: *id,
            step: "migrated",
            source,
        })?;
        self.store().set_version(id, &self.version).await?;
        Ok(names(&report))
    }

    /// Migrates tenants, a few at once, each as by [`Tenants::migrate`]. One that fails does not stop the others.
    pub(super) fn migrate_all(
        &self,
        ids: Vec<TenantId>,
    ) -> impl Stream<Item = (TenantId, Result<Vec<String>, TenantError>)> + '_ {
        stream::iter(ids)
            .map(async |id| (id, self.migrate(&id).await))
            .buffer_unordered(MIGRATIONS_AT_ONCE)
    }

    /// What [`Tenants::migrate`] would apply, as `plugin: name`. Changes nothing.
    ///
    /// # Errors
    /// When the tenant's data cannot be read.
    pub async fn pending(&self, id: &TenantId) -> Result<Vec<String>, TenantError> {
        let Some(database) = self.database() else { return Ok(Vec::new()) };
        let report = database.pending_tenant(id, &self.migrations).await;
        report.map(|report| names(&report)).map_err(|source| TenantError::Data { id: *id, step: "read", source })
    }

    /// Whether the tenant's data is there.
    pub(super) async fn has_data(&self, id: &TenantId) -> Result<bool, TenantError> {
        let Some(database) = self.database() else { return Ok(true) };
        database.exists(id).await.map_err(|source| TenantError::Data { id: *id, step: "read", source })
    }

    /// The proof that a tenant exists and is active.
    ///
    /// # Errors
    /// When it does not, or the directory cannot be asked.
    pub(crate) async fn admit(&self, id: &TenantId) -> Result<Tenant, crate::tenancy::TenancyError> {
        self.runtime.admission.directory.admit(id).await
    }

    fn is_managed(&self) -> bool {
        self.store().is_managed()
    }

    async fn is_in(&self, id: &TenantId, state: State) -> Result<bool, TenantError> {
        Ok(self.store().find(id).await?.is_some_and(|record| record.state == state))
    }

    pub(super) async fn finish_creating(&self, id: &TenantId) -> Result<(), TenantError> {
        let _step = self.steps.of(id).await;
        if self.is_managed() && !self.is_in(id, State::Provisioning).await? {
            return Ok(());
        }
        if let Some(database) = self.database() {
            let failed = |step| move |source| TenantError::Data { id: *id, step, source };
            database.provision(id).await.map_err(failed("made"))?;
        }
        if let Some(cache) = &self.runtime.cache {
            // An entry that slipped in while an earlier tenant of this name was deleted.
            let failed = |source| TenantError::Cache { id: *id, source };
            cache.forget_tenant(id).await.map_err(failed)?;
        }
        self.migrate(id).await?;
        // Not in the directory as active yet; the hooks are the first that work in it.
        self.hook(TenantHook::Created, "tenant_created", id).await?;
        self.store().advance(id, State::Provisioning, State::Active).await?;
        self.runtime.admission.directory.forget(id);
        if let Some(scheduler) = &self.runtime.scheduler {
            scheduler.tenant_activated(id).await.map_err(|source| TenantError::Jobs { id: *id, source })?;
        }
        Ok(())
    }

    pub(super) async fn finish_deleting(&self, id: &TenantId) -> Result<(), TenantError> {
        let _step = self.steps.of(id).await;
        if self.is_managed() && !self.is_in(id, State::Deleting).await? {
            return Ok(());
        }
        if let Some(scheduler) = &self.runtime.scheduler {
            let failed = |source| TenantError::Jobs { id: *id, source };
            let running = scheduler.tenant_removed(id).await.map_err(failed)?;
            if running > 0 {
                info!(tenant = %id, running, "jobs of the tenant are still running and are left to end");
            }
        }
        let has_data = match self.database() {
            Some(database) => database.exists(id).await.unwrap_or(true),
            None => true,
        };
        if has_data && let Err(error) = self.hook(TenantHook::Deleted, "tenant_deleted", id).await {
            // A tenant whose hook cannot succeed must still be deletable.
            warn!(tenant = %id, %error, "deleting the tenant all the same");
        }
        // From here on, contexts that are still held somewhere can do nothing more.
        self.runtime.admission.directory.end(id);
        if let Some(cache) = &self.runtime.cache {
            let failed = |source| TenantError::Cache { id: *id, source };
            cache.forget_tenant(id).await.map_err(failed)?;
        }
        if let Some(database) = self.database() {
            match database.remove(id).await {
                // With `isolate_db: false` its rows are among everybody's, and the hooks had their turn.
                Ok(()) | Err(DatabaseError::NotRemovable { .. }) => {}
                Err(source) => return Err(TenantError::Data { id: *id, step: "dropped", source }),
            }
        }
        self.store().remove(id).await?;
        self.runtime.admission.directory.forget(id);
        Ok(())
    }

    async fn hook(&self, hook: TenantHook, name: &'static str, id: &TenantId) -> Result<(), TenantError> {
        for plugin in &self.plugins {
            plugin
                .tenant_hook(hook, self.runtime.admission.directory.living(id))
                .await
                .map_err(|error| TenantError::Hook { id: *id, plugin: plugin.name(), hook: name, error })?;
        }
        Ok(())
    }

    pub(super) fn store(&self) -> &Arc<dyn DirectoryStore> {
        self.runtime.admission.directory.store()
    }

    fn database(&self) -> Option<&Database> {
        self.runtime.database.as_ref()
    }
}
