//! What can be done with tenants; how it is done is in [`lifecycle`](super::lifecycle).

use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use xcore_build::config::DbRole;

use super::TenantError;
use crate::db::{Database, DatabaseError, MigrationReport, Migrations, Servers};
use crate::faults::{Step, reached};
use crate::plugin::{AnyMounted, Runtime};
use crate::tenancy::{
    DataVersion, DirectoryStore, ProfileChange, State, StoreError, Tenant, TenantId, TenantRecord, Turns,
    Window,
};

/// Creates, suspends, migrates and deletes the tenants of an app.
///
/// Every step can be cut off by a kill: the directory says how far a tenant has come, and the next start finishes what
/// was begun. A tenant is routable only while it is active; its [`State`] tells which moves there are.
pub struct Tenants {
    pub(super) runtime: Arc<Runtime>,
    pub(super) plugins: Vec<Arc<dyn AnyMounted>>,
    pub(super) migrations: Vec<Migrations>,
    /// Which versions of the tenants' data are served.
    pub(super) window: Arc<Window>,
    /// One step at a time per tenant in this process.
    pub(super) steps: Turns,
    /// Whether each tenant has a database of its own.
    pub(super) isolates_data: bool,
    /// How many spare tenants are kept on each server.
    pub(super) spare_tenants: usize,
    /// Said when one of them was taken.
    pub(super) spare_taken: Arc<tokio::sync::Notify>,
    pub(super) said_impossible: std::sync::Once,
    /// How long a tenant that was deleted can be restored; zero for not at all.
    pub(super) delete_after: Duration,
    /// How long a hook may take.
    pub(super) hook_timeout: Duration,
    /// The lives whose jobs run, or rest, in this process.
    pub(super) entered: Mutex<HashMap<TenantId, (i64, State)>>,
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
/// compiler is another name for the same.
///
/// Another `db_role` counts as well: the tenant's schema changes hands when it is migrated.
pub(super) fn version_of(migrations: &[Migrations], role: DbRole) -> DataVersion {
    let mut hasher = std::hash::DefaultHasher::new();
    let mut all = BTreeSet::new();
    let mut count = 0_usize;
    for plugin in migrations {
        plugin.plugin().hash(&mut hasher);
        for migration in (plugin.list)() {
            migration.name().hash(&mut hasher);
            count += 1;
            all.insert(format!("{}: {}", plugin.plugin(), migration.name()));
        }
    }
    let version = format!("{count}-{:016x}", hasher.finish());
    let text = if role == DbRole::Shared { version } else { format!("{version} {}", role.as_str()) };
    DataVersion { text, migrations: all }
}

impl Tenants {
    /// Creates a tenant: its data, all migrations, the `tenant_created` hooks; then it is routable.
    ///
    /// A creation that was begun before and cut off is finished.
    ///
    /// # Errors
    /// When the tenant exists, one of its name [can be restored](Tenants::restore), or a step fails. Then the tenant is [failed](State::Failed), with the reason. The next call, the next
    /// start and a server that runs try again; [`Tenants::delete`] rolls back what was done at once.
    pub async fn create(&self, id: &TenantId) -> Result<(), TenantError> {
        let open = self.databases().map(Servers::open_names).unwrap_or_default();
        // `public` is what all tenants share, and that is on the first one.
        let among = if id.is_public() { &open[..open.len().min(1)] } else { &open[..] };
        self.create_among(id, among, None).await
    }

    /// Creates a tenant on one of `services.database.servers`, instead of the one that has the least tenants.
    ///
    /// # Errors
    /// As [`Tenants::create`], and when there is no such server, or the tenant was begun on another one.
    pub async fn create_on(&self, id: &TenantId, server: &str) -> Result<(), TenantError> {
        let all = self.databases().map(Servers::names).unwrap_or_default();
        let Some(server) = all.iter().find(|name| ***name == *server) else {
            let known = all.iter().map(ToString::to_string).collect();
            return Err(TenantError::NoServer { server: server.to_owned(), known });
        };
        if id.is_public() && all.first() != Some(server) {
            return Err(TenantError::Public);
        }
        self.create_among(id, std::slice::from_ref(server), Some(server)).await
    }

    /// On one of these servers; on `wanted` and no other, also when the creation was begun before.
    async fn create_among(
        &self,
        id: &TenantId,
        servers: &[Arc<str>],
        wanted: Option<&Arc<str>>,
    ) -> Result<(), TenantError> {
        if id.is_public() && self.runtime.admission.default != Some(*id) {
            return Err(TenantError::Public);
        }
        match self.store().insert(id, servers).await {
            Err(StoreError::Exists { .. }) if self.is_half_made(id).await? => {
                // Begun when there was one database, it is on the first.
                let first = || self.databases().and_then(|servers| servers.names().first().cloned());
                if let (Some(wanted), Some(begun)) = (wanted, self.record(id).await?.server.or_else(first))
                    && *wanted != begun
                {
                    return Err(TenantError::BegunElsewhere { id: *id, server: begun.to_string() });
                }
            }
            inserted => inserted?,
        }
        reached(Step::CreateNoted);
        self.finish_creating(id).await
    }

    /// Refuses a tenant with 403 and the reason, and lets its jobs rest, until it is [resumed](Tenants::resume). Other processes
    /// that serve it follow within a second. Its data is kept and migrated. For one that is suspended, changes the reason.
    ///
    /// What was admitted before goes on to its end, and a context that is held goes on working: the data is still the
    /// tenant's own. The reason is shown to clients.
    ///
    /// # Errors
    /// When it is not active, or the directory keeps no states.
    pub async fn suspend(&self, id: &TenantId, reason: Option<&str>) -> Result<(), TenantError> {
        self.move_to(id, State::Suspended, reason).await?;
        self.runtime.admission.directory.forget(id);
        self.rest(id).await.map(drop)
    }

    /// Serves a suspended tenant again, and tries the creation of a failed one again.
    ///
    /// # Errors
    /// When it is neither, or a step fails.
    pub async fn resume(&self, id: &TenantId) -> Result<(), TenantError> {
        let record = self.get(id).await?;
        match record.state {
            State::Provisioning | State::Failed => return self.finish_creating(id).await,
            // Once more, should somebody else have moved it meanwhile.
            State::Suspended
                if self.store().advance(id, record.life, State::Suspended, State::Active).await? => {}
            State::SoftDeleted => {
                return Err(StoreError::SoftDeleted { id: *id, delete_after: record.delete_after }.into());
            }
            from => return Err(StoreError::Illegal { id: *id, from, to: State::Active }.into()),
        }
        self.runtime.admission.directory.forget(id);
        self.enter(id).await
    }

    /// Changes plan, metadata and settings of a tenant. Everybody sees it within a second.
    ///
    /// # Errors
    /// When there is no such tenant, it would be too large, settings do not fit
    /// [the struct of the app](crate::AppBuilder::tenant_settings), or the directory keeps none.
    pub async fn change(&self, id: &TenantId, change: &ProfileChange) -> Result<(), TenantError> {
        let rules = self.runtime.admission.directory.rules();
        let alter = |profile: &mut crate::tenancy::Profile| {
            change.apply(profile)?;
            change.check(profile, rules)
        };
        self.store().change(id, &alter).await?;
        self.runtime.admission.directory.forget(id);
        Ok(())
    }

    /// One tenant, in whatever state.
    ///
    /// # Errors
    /// When there is none, or the directory cannot be read.
    pub async fn get(&self, id: &TenantId) -> Result<TenantRecord, TenantError> {
        let found = self.store().find(id).await?;
        found.ok_or_else(|| StoreError::NotFound { id: *id }.into())
    }

    /// All tenants, in whatever state, sorted by name.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn list(&self) -> Result<Vec<TenantRecord>, TenantError> {
        Ok(self.store().list().await?)
    }

    /// Deletes a tenant, so that it can be [restored](Tenants::restore) for `tenancy.delete_after`; gives until when. Clients are told
    /// what they are told of a name that nobody has. Contexts that are held fail from now on, those in other processes within a second:
    /// what they would write might come back. A transaction or a session that was begun before goes
    /// to its end. The jobs rest; data, API keys
    /// and domains are kept. When the time is over a server that runs, or a start, [drops](Tenants::purge) all of it.
    ///
    /// Repeating it changes nothing, nor the time.
    ///
    /// `None` when the tenant is gone for good already: with `tenancy.delete_after: 0s`, where the directory keeps no
    /// states, and for one whose creation did not come to its end, of which there is nothing to restore.
    ///
    /// # Errors
    /// When there is no such tenant, it is the default one, or a step fails. What was begun is finished by a server that runs and by the
    /// next start.
    ///
    /// Cancellation safe: it is deleted, or it is not.
    pub async fn delete(&self, id: &TenantId) -> Result<Option<DateTime<Utc>>, TenantError> {
        match self.begin_soft_deletion(id).await? {
            Some(until) => Ok(Some(until)),
            None => self.purge(id).await.map(|()| None),
        }
    }

    /// Brings a deleted tenant back to what it was, active or suspended, with all that it had. Its data gets the migrations that
    /// have come since first.
    ///
    /// It can be restored as long as its final deletion has not begun, which is when its time is over and a server or a start has
    /// noticed. Of a restoration and a final deletion at once, one wins and the other has no effect.
    ///
    /// # Errors
    /// When there is no such tenant, it is not soft-deleted, its data cannot be migrated, or the directory keeps no states. Then it is
    /// what it was before.
    ///
    /// Cancellation safe: it is restored, or it is not.
    pub async fn restore(&self, id: &TenantId) -> Result<(), TenantError> {
        self.bring_back(id).await
    }

    /// Deletes a tenant and everything that belongs to it for good, in whatever state it is: data, role, cache entries, jobs, API
    /// keys and domains. It is refused at once and gone when this returns.
    ///
    /// # Errors
    /// When there is no such tenant, it is the default one, or a step fails. A step that failed is tried again by a server that runs and
    /// by the next start.
    ///
    /// Once it has begun it cannot be taken back; a call that is cancelled is finished by a server that runs, or by the next start.
    pub async fn purge(&self, id: &TenantId) -> Result<(), TenantError> {
        if self.store().is_managed() && self.get(id).await?.state == State::Importing {
            return self.undo_import(id).await;
        }
        self.begin_deleting(id).await?;
        self.finish_deleting(id).await
    }

    /// Gives a tenant another name: its data, domains, API keys, jobs and all that is noted of it go with it. Until that is done it is
    /// refused with 503, which takes a moment, or two seconds and a moment where other processes serve it. Then the old name is unknown
    /// and free, and contexts by it that are still held can do nothing more. Its cache is empty.
    ///
    /// The tenant stays on its server, and suspended when it was. `tenancy.ensure` and links that name it are not changed.
    ///
    /// # Errors
    /// When there is no such tenant, it is the default one, or neither active nor suspended; when the new name is taken, or `public`;
    /// when it has no data of its own (`tenancy.isolate_db: false`), or the directory keeps no states. When its data stays in use, or
    /// something in it has the old name in its definition, the tenant has its old name again. What a kill cuts off is finished by the
    /// next start and by a server that runs.
    pub async fn rename(&self, id: &TenantId, to: &TenantId) -> Result<(), TenantError> {
        if self.runtime.admission.default == Some(*id) {
            return Err(TenantError::IsDefault { id: *id });
        }
        if to.is_public() {
            return Err(TenantError::Public);
        }
        self.begin_renaming(id, to).await?;
        self.finish_renaming(id).await
    }

    /// The tenants whose data lacks something of this binary, or is further away from it than `tenancy.accept_newer` and
    /// `accept_older` allow. One query, however many tenants there are, and one for each version that is met for the first time.
    /// Only a managed directory knows.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn outdated(&self) -> Result<Vec<TenantId>, TenantError> {
        Ok(self.outdated_records().await?.into_iter().map(|record| record.id).collect())
    }

    /// As [`Tenants::outdated`], with all that the directory knows of them.
    pub(super) async fn outdated_records(&self) -> Result<Vec<TenantRecord>, TenantError> {
        if !self.store().is_managed() {
            return Ok(Vec::new());
        }
        let mut outdated = Vec::new();
        for record in self.store().list().await? {
            if record.state.has_data() {
                let gap = self.window.gap(self.store().as_ref(), record.version.as_deref()).await?;
                if self.window.is_behind(gap) {
                    outdated.push(record);
                }
            }
        }
        Ok(outdated)
    }

    /// Brings one tenant's data up to date; the names of the migrations that were applied.
    ///
    /// # Errors
    /// When a migration fails. Those before it stay applied, and a later run goes on from there.
    pub async fn migrate(&self, id: &TenantId) -> Result<Vec<String>, TenantError> {
        self.migrate_as(&self.record(id).await?).await
    }

    /// As [`Tenants::migrate`], where the directory has been asked already.
    pub(super) async fn migrate_as(&self, record: &TenantRecord) -> Result<Vec<String>, TenantError> {
        let id = &record.id;
        let failed = |source| TenantError::Data { id: *id, step: "migrated", source };
        let Some(database) = self.database_of(record).map_err(failed)? else { return Ok(Vec::new()) };
        let report = database.migrate_tenant(id, &self.migrations).await.map_err(failed)?;
        reached(Step::CreateMigrated);
        self.note_version(record).await?;
        Ok(names(&report))
    }

    /// Its data has all migrations.
    pub(super) async fn note_version(&self, record: &TenantRecord) -> Result<(), TenantError> {
        // One that is still being made is served by nobody.
        let is_served = record.state.has_data();
        self.store().set_version(&record.id, self.window.own(), is_served).await?;
        if is_served {
            self.runtime.admission.directory.forget(&record.id);
        }
        Ok(())
    }

    /// What [`Tenants::migrate`] would apply, as `plugin: name`. Changes nothing.
    ///
    /// # Errors
    /// When the tenant's data cannot be read.
    pub async fn pending(&self, id: &TenantId) -> Result<Vec<String>, TenantError> {
        let failed = |source| TenantError::Data { id: *id, step: "read", source };
        let record = self.record(id).await?;
        let Some(database) = self.database_of(&record).map_err(failed)? else { return Ok(Vec::new()) };
        let report = database.pending_tenant(id, &self.migrations).await.map_err(failed)?;
        Ok(names(&report))
    }

    /// Whether the tenant's data is there.
    pub(super) async fn has_data(&self, record: &TenantRecord) -> Result<bool, DatabaseError> {
        match self.database_of(record)? {
            Some(database) => database.exists(&record.id).await,
            None => Ok(true),
        }
    }

    /// The proof that a tenant exists and is active.
    ///
    /// # Errors
    /// When it does not, or the directory cannot be asked.
    pub(crate) async fn admit(&self, id: &TenantId) -> Result<Tenant, crate::tenancy::TenancyError> {
        self.runtime.admission.directory.admit(id).await
    }

    pub(super) fn store(&self) -> &Arc<dyn DirectoryStore> {
        self.runtime.admission.directory.store()
    }

    pub(super) fn databases(&self) -> Option<&Servers> {
        self.runtime.database.as_ref()
    }

    /// The database that holds the data of a tenant, as the directory's record says.
    pub(super) fn database_of(&self, record: &TenantRecord) -> Result<Option<&Database>, DatabaseError> {
        self.databases().map(|servers| servers.at(&record.id, record.server.as_deref())).transpose()
    }

    /// The record of a tenant, in whatever state. A directory that keeps none has all tenants on the only database.
    pub(super) async fn record(&self, id: &TenantId) -> Result<TenantRecord, TenantError> {
        if !self.store().is_managed() {
            return Ok(TenantRecord::active(*id));
        }
        Ok(self.store().find(id).await?.ok_or(StoreError::NotFound { id: *id })?)
    }
}
