//! The life of a tenant, step by step.
//!
//! Every step can be cut off by a kill: the directory says how far a tenant has come, and whoever comes next goes on from
//! there. One process at a time works on a tenant ([`Database::claim`](crate::db::Database)), and one task of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{MutexGuard, PoisonError};

use futures_util::stream::{self, StreamExt};
use tracing::{error, info, warn};

use super::claimed::Claimed;
use super::watch::NOTICED;
use super::{TenantError, Tenants};
use crate::error::Error;
use crate::faults::{Step, reached};
use crate::plugin::{AnyMounted, TenantHook, chain};
use crate::tenancy::{State, StoreError, Tenant, TenantId, TenantRecord};

/// How many tenants a start works on at once. A hook that is stuck keeps one of these places until it is given up.
const RECOVERED_AT_ONCE: usize = 8;

/// Of why a creation failed this many characters are kept.
const LONGEST_REASON: usize = 2_000;

impl Tenants {
    /// Marks a tenant as deleting, so that no process admits it any more.
    pub(super) async fn begin_deleting(&self, id: &TenantId) -> Result<(), TenantError> {
        self.check_deletable(id)?;
        // Whichever state it was in: an unfinished creation is deleted as well.
        match self.move_to(id, State::Deleting, None).await {
            // Begun before.
            Err(TenantError::Directory { source: StoreError::Illegal { from: State::Deleting, .. } }) => {}
            moved => moved?,
        }
        reached(Step::PurgeNoted);
        self.runtime.admission.directory.forget(id);
        Ok(())
    }

    /// Moves a tenant from the state that it is in, if there is such a move.
    pub(super) async fn move_to(
        &self,
        id: &TenantId,
        to: State,
        reason: Option<&str>,
    ) -> Result<(), TenantError> {
        // Again when somebody else has moved it since it was read.
        loop {
            let TenantRecord { state: from, life, .. } = self.get(id).await?;
            if !from.may_become(to) {
                return Err(StoreError::Illegal { id: *id, from, to }.into());
            }
            if self.store().advance_because(id, life, from, to, reason).await? {
                return Ok(());
            }
        }
    }

    /// Finishes what a kill cut off, and creates the tenants that must exist; a few at once, each of them tried once. What fails
    /// is logged: it is not routable, and the others must not wait for it.
    pub(super) async fn recover(&self, ensure: &[TenantId]) -> Result<(), TenantError> {
        let all = self.store().list().await?;
        let unfinished = all.iter().filter(|record| record.state.is_unfinished() || record.is_overdue());
        let mut work: BTreeMap<TenantId, Option<&TenantRecord>> =
            ensure.iter().map(|id| (*id, None)).collect();
        work.extend(unfinished.map(|record| (record.id, Some(record))));
        let recovering = stream::iter(work).for_each_concurrent(RECOVERED_AT_ONCE, async |(id, begun)| {
            let is_free = match begun {
                Some(record) => {
                    self.finish(record).await && !matches!(record.state, State::Provisioning | State::Failed)
                }
                None => true,
            };
            if is_free && ensure.contains(&id) {
                self.ensure(&id).await;
            }
        });
        recovering.await;
        Ok(())
    }

    /// Creates a tenant that must exist, unless it does.
    async fn ensure(&self, id: &TenantId) {
        match self.create(id).await {
            Ok(()) => info!(tenant = %id, "created"),
            Err(TenantError::Directory {
                source: StoreError::Exists { .. } | StoreError::ReadOnly { .. },
            }) => {}
            Err(TenantError::Directory { source: deleted @ StoreError::SoftDeleted { .. } }) => {
                warn!("{deleted}; `tenancy.ensure` names it, and makes it anew when it is gone");
            }
            Err(problem) => {
                error!(tenant = %id, error = %chain(&problem), "a tenant of xcore.yaml cannot be created yet");
            }
        }
    }

    /// Finishes a creation or a deletion that was begun; `false` when it has to be tried again.
    pub(super) async fn finish(&self, record: &TenantRecord) -> bool {
        let (work, finished) = match record.state {
            State::Provisioning | State::Failed => ("creation", self.finish_creating(&record.id).await),
            State::Deleting => ("deletion", self.finish_deleting(&record.id).await),
            State::SoftDeleted if record.is_overdue() => {
                ("deletion", self.finish_soft_deletion(record).await)
            }
            State::Renaming => ("renaming", self.finish_renaming(&record.id).await),
            // A reserved name is the affair of the tenant that gets it.
            State::Active
            | State::Suspended
            | State::SoftDeleted
            | State::Importing
            | State::Reserved
            | State::Foreign => return true,
        };
        match &finished {
            Ok(()) => info!(tenant = %record.id, work, "finished what was begun"),
            Err(problem) => {
                error!(tenant = %record.id, work, error = %chain(problem), "cannot be finished yet")
            }
        }
        finished.is_ok()
    }

    /// Goes on with a creation, from whatever step it has reached.
    pub(super) async fn finish_creating(&self, id: &TenantId) -> Result<(), TenantError> {
        let _turn = self.steps.of(id).await;
        let claim = self.claim(id, false).await?;
        reached(Step::CreateClaimed);
        let half_made = [State::Provisioning, State::Failed];
        let Some(record) = self.record_in(id, &half_made).await? else { return Ok(()) };
        let made = self.make(&record, &claim).await;
        if let Err(problem) = &made {
            self.note_failure(&record, &claim, problem).await;
        }
        made
    }

    /// A tenant whose creation failed is not taken for one that is being made. Who has lost the claim has no say in it.
    async fn note_failure(&self, record: &TenantRecord, claim: &Claimed, problem: &TenantError) {
        let reason: String = chain(problem).chars().take(LONGEST_REASON).collect();
        let is_known = record.state == State::Failed && record.reason.as_deref() == Some(&reason);
        if is_known || !self.store().is_managed() || claim.check().await.is_err() {
            return;
        }
        let noted =
            self.store().advance_because(&record.id, record.life, record.state, State::Failed, Some(&reason));
        if let Err(problem) = noted.await {
            warn!(tenant = %record.id, error = %chain(&problem), "that its creation failed cannot be noted");
        }
    }

    async fn make(&self, record: &TenantRecord, claim: &Claimed) -> Result<(), TenantError> {
        let id = &record.id;
        let directory = &self.runtime.admission.directory;
        self.hold_if_stateless(id);
        self.make_data(record).await?;
        if let Some(scheduler) = &self.runtime.scheduler {
            scheduler
                .tenant_opened(id, record.life)
                .await
                .map_err(|source| TenantError::Jobs { id: *id, source })?;
        }
        reached(Step::CreateJobsOpened);
        let tenant = directory.living(record);
        for plugin in &self.plugins {
            self.hook(plugin.as_ref(), TenantHook::Created, &tenant).await?;
            reached(Step::CreateHookRun);
        }
        claim.check().await?;
        let is_still_wanted = self.store().advance(id, record.life, record.state, State::Active).await?;
        reached(Step::CreateActive);
        directory.release(id);
        directory.forget(id);
        if is_still_wanted {
            self.activate_jobs(id, record.life).await?;
        }
        reached(Step::CreateJobsGiven);
        Ok(())
    }

    /// A directory without states admits whoever has data: nobody until all of it is there, and nobody once some of it may
    /// be gone. A step that fails leaves the tenant held.
    fn hold_if_stateless(&self, id: &TenantId) {
        if !self.store().is_managed() {
            self.runtime.admission.directory.hold(id);
        }
    }

    pub(super) async fn make_data(&self, record: &TenantRecord) -> Result<(), TenantError> {
        let id = &record.id;
        let failed = |source| TenantError::Data { id: *id, step: "made", source };
        let mut is_whole = false;
        if let Some(database) = self.database_of(record).map_err(failed)? {
            is_whole = self.take_spare(id, database).await
                || database.replay(id, &self.migrations).await.map_err(failed)?;
            if is_whole {
                reached(Step::CreateReplayed);
            } else {
                database.provision(id).await.map_err(failed)?;
                reached(Step::CreateProvisioned);
            }
        }
        self.empty_cache_of_new(id).await?;
        reached(Step::CreateCacheEmptied);
        if is_whole {
            self.note_version(record).await?;
        } else {
            self.migrate_as(record).await?;
        }
        reached(Step::CreateVersionNoted);
        Ok(())
    }

    /// Goes on with a deletion, from whatever step it has reached.
    pub(super) async fn finish_deleting(&self, id: &TenantId) -> Result<(), TenantError> {
        let _turn = self.steps.of(id).await;
        if self.record_in(id, &[State::Deleting]).await?.is_none() {
            return Ok(());
        }
        // From here on, contexts that are still held somewhere in this process can do nothing more, also when it is another
        // process that has the claim and does the rest.
        self.runtime.admission.directory.end(id);
        reached(Step::PurgeLifeEnded);
        // Refused beside a server, before any hook has run: the server does all of it.
        let claim = self.claim(id, true).await?;
        reached(Step::PurgeClaimed);
        let Some(record) = self.record_in(id, &[State::Deleting]).await? else { return Ok(()) };
        self.hold_if_stateless(id);
        self.leave(id, record.life).await?;
        reached(Step::PurgeJobsTaken);
        let dropping = |source| TenantError::Data { id: *id, step: "dropped", source };
        let database = self.database_of(&record).map_err(dropping)?;
        let has_data = match database {
            Some(database) => database.exists(id).await.unwrap_or(true),
            None => true,
        };
        if has_data {
            let tenant = self.runtime.admission.directory.living(&record);
            for plugin in self.plugins.iter().rev() {
                if let Err(problem) = self.hook(plugin.as_ref(), TenantHook::Deleted, &tenant).await {
                    // A tenant whose hook cannot succeed must still be deletable.
                    warn!(tenant = %id, error = %chain(&problem), "deleting the tenant all the same");
                }
                reached(Step::PurgeHookRun);
            }
        }
        // The hooks' own.
        self.runtime.admission.directory.end(id);
        if let (Some(database), Some(held)) = (database, &claim.held) {
            if database.is_served_by_many() {
                tokio::time::sleep(NOTICED).await;
            }
            match database.remove(id, held.as_ref()).await {
                // With `isolate_db: false` its rows are among everybody's, and the hooks had their turn.
                Ok(()) | Err(crate::db::DatabaseError::NotRemovable { .. }) => {}
                Err(source) => return Err(dropping(source)),
            }
        }
        reached(Step::PurgeDataDropped);
        claim.check().await?;
        // Last, when nobody is left who could write into it.
        self.forget_cached(id).await?;
        reached(Step::PurgeCacheEmptied);
        self.store().remove(id, record.life).await?;
        reached(Step::PurgeForgotten);
        // What was wrong with its data went with it.
        self.runtime.admission.directory.release(id);
        self.runtime.admission.directory.forget(id);
        Ok(())
    }

    /// Takes the jobs of a tenant in this life.
    pub(super) async fn leave(&self, id: &TenantId, life: i64) -> Result<(), TenantError> {
        self.entered().remove(id);
        let Some(scheduler) = &self.runtime.scheduler else { return Ok(()) };
        let failed = |source| TenantError::Jobs { id: *id, source };
        let running = scheduler.tenant_removed(id, life).await.map_err(failed)?;
        if running > 0 {
            info!(tenant = %id, running, "jobs of the tenant still run; they fail at their next use of a service");
        }
        Ok(())
    }

    /// Gives an active tenant its jobs, unless it stopped being active meanwhile.
    pub(super) async fn enter(&self, id: &TenantId) -> Result<(), TenantError> {
        let _turn = self.steps.of(id).await;
        match self.record_in(id, &[State::Active]).await? {
            Some(record) => self.activate_jobs(id, record.life).await,
            None => Ok(()),
        }
    }

    /// Gives all tenants that are active at the start their jobs. Nobody in this process works on them yet; what another one does
    /// meanwhile is followed.
    pub(super) async fn enter_all(&self, records: &[TenantRecord]) -> Result<(), TenantError> {
        let Some(first) = records.first() else { return Ok(()) };
        if let Some(scheduler) = &self.runtime.scheduler {
            let tenants: Vec<(TenantId, i64)> =
                records.iter().map(|record| (record.id, record.life)).collect();
            let failed = |source| TenantError::Jobs { id: first.id, source };
            scheduler.tenants_activated(&tenants).await.map_err(failed)?;
        }
        self.entered().extend(records.iter().map(|record| (record.id, (record.life, State::Active))));
        Ok(())
    }

    pub(super) async fn activate_jobs(&self, id: &TenantId, life: i64) -> Result<(), TenantError> {
        if let Some(scheduler) = &self.runtime.scheduler {
            scheduler
                .tenant_activated(id, life)
                .await
                .map_err(|source| TenantError::Jobs { id: *id, source })?;
        }
        self.entered().insert(*id, (life, State::Active));
        Ok(())
    }

    /// Lets the jobs of a suspended or soft-deleted tenant rest, unless it was resumed or restored meanwhile; whether they rest.
    pub(super) async fn rest(&self, id: &TenantId) -> Result<bool, TenantError> {
        if !self.store().is_managed() {
            return Ok(false);
        }
        let _turn = self.steps.of(id).await;
        let resting = [State::Suspended, State::SoftDeleted];
        let Some(record) = self.record_in(id, &resting).await? else { return Ok(false) };
        self.rest_jobs(&record).await?;
        Ok(true)
    }

    async fn rest_jobs(&self, record: &TenantRecord) -> Result<(), TenantError> {
        let id = &record.id;
        if let Some(scheduler) = &self.runtime.scheduler {
            let failed = |source| TenantError::Jobs { id: *id, source };
            let running = scheduler.tenant_suspended(id).await.map_err(failed)?;
            if running > 0 {
                let state = record.state;
                info!(tenant = %id, %state, running, "jobs of the tenant go on to their end");
            }
        }
        self.entered().insert(*id, (record.life, record.state));
        Ok(())
    }

    /// Lets the jobs of a tenant run or rest, as its state says. The caller has its turn.
    pub(super) async fn settle_jobs(&self, record: &TenantRecord) -> Result<(), TenantError> {
        let (id, life) = (&record.id, record.life);
        match record.state {
            State::Active => self.activate_jobs(id, life).await,
            State::Suspended => self.rest_jobs(record).await,
            _ => Ok(()),
        }
    }

    pub(super) fn entered(&self) -> MutexGuard<'_, HashMap<TenantId, (i64, State)>> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what this process holds of a tenant that another process has deleted.
    pub(super) async fn follow_deletion(&self, id: &TenantId, life: i64) -> Result<(), TenantError> {
        let _turn = self.steps.of(id).await;
        self.runtime.admission.directory.end_life(id, life);
        self.runtime.admission.directory.release(id);
        self.leave(id, life).await?;
        self.forget_cached(id).await
    }

    pub(super) async fn claim(&self, id: &TenantId, removal: bool) -> Result<Claimed, TenantError> {
        let Some(database) = self.databases() else { return Ok(Claimed { id: *id, held: None }) };
        let failed = |source| TenantError::Data { id: *id, step: "claimed", source };
        let held = database.claim(id, removal).await.map_err(failed)?;
        Ok(Claimed { id: *id, held: Some(held) })
    }

    /// Whether its creation was begun and has not come to its end.
    pub(super) async fn is_half_made(&self, id: &TenantId) -> Result<bool, TenantError> {
        Ok(self.record_in(id, &[State::Provisioning, State::Failed]).await?.is_some())
    }

    /// The tenant's row when it is in one of the states. A directory that keeps no states has every tenant in every state.
    pub(super) async fn record_in(
        &self,
        id: &TenantId,
        states: &[State],
    ) -> Result<Option<TenantRecord>, TenantError> {
        if !self.store().is_managed() {
            return Ok(Some(TenantRecord::active(*id)));
        }
        Ok(self.store().find(id).await?.filter(|record| states.contains(&record.state)))
    }

    async fn hook(
        &self,
        plugin: &dyn AnyMounted,
        hook: TenantHook,
        tenant: &Tenant,
    ) -> Result<(), TenantError> {
        let run = plugin.tenant_hook(hook, tenant.clone());
        let ended = tokio::time::timeout(self.hook_timeout, run).await;
        let limit = self.hook_timeout;
        let ended = ended.unwrap_or_else(|_| Err(Error::internal(HookTimeout { limit })));
        let failed =
            |error| TenantError::Hook { id: *tenant.id(), plugin: plugin.name(), hook: hook.as_str(), error };
        ended.map_err(failed)
    }
}

/// A hook did not end.
#[derive(Debug, thiserror::Error)]
#[error("it took longer than {limit:?}; make it faster, or raise `app.hook_timeout`")]
pub(super) struct HookTimeout {
    pub(super) limit: std::time::Duration,
}
