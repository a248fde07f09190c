//! Another name for a tenant, step by step. As with its creation and deletion, each step may be the last of a process that is killed.

use tracing::info;

use super::claimed::{Both, Claimed};
use super::watch::NOTICED;
use super::{TenantError, Tenants};
use crate::db::{Database, DatabaseError, TenantClaim};
use crate::faults::{Step, reached};
use crate::scheduler::AddedJobs;
use crate::tenancy::{State, TenantId, TenantRecord};

impl Tenants {
    /// Marks a tenant as renaming, so that no process admits it any more, and takes the name.
    pub(super) async fn begin_renaming(&self, id: &TenantId, to: &TenantId) -> Result<(), TenantError> {
        if !self.store().is_managed() {
            return Ok(self.store().begin_renaming(id, to).await?);
        }
        let record = self.get(id).await?;
        let refused = |source| TenantError::NotRenamed { id: *id, to: *to, is_undone: true, source };
        let gap = self.window.gap(self.store().as_ref(), record.version.as_deref()).await?;
        if record.state.has_data() && self.window.is_behind(gap) {
            return Err(TenantError::NotMigrated { id: *id });
        }
        // Before anybody is disturbed.
        if let Some(database) = self.database_of(&record).map_err(refused)?
            && record.state != State::Renaming
            && database.exists(to).await.map_err(refused)?
        {
            return Err(if self.is_shared(id) {
                refused(DatabaseError::NotRenamable { tenant: *id })
            } else if self.store().find(to).await?.is_some() {
                crate::tenancy::StoreError::Exists { id: *to }.into()
            } else {
                refused(DatabaseError::NameTaken { tenant: *to })
            });
        }
        self.store().begin_renaming(id, to).await?;
        reached(Step::RenameNoted);
        self.runtime.admission.directory.forget(id);
        self.runtime.admission.directory.forget(to);
        Ok(())
    }

    /// Goes on with a renaming, from whatever step it has reached.
    pub(super) async fn finish_renaming(&self, id: &TenantId) -> Result<(), TenantError> {
        let Some((begun, to)) = self.renaming(id).await? else { return Ok(()) };
        // In one order for all, here and with the claims.
        let [first, second] = if *id < to { [*id, to] } else { [to, *id] };
        let (_turn, _other) = (self.steps.of(&first).await, self.steps.of(&second).await);
        if !self.is_still(&begun).await? {
            return self.follow_other(&begun, &to, &AddedJobs::default()).await;
        }
        // From here on, contexts by the old name that are still held somewhere in this process can do nothing more, also when it is
        // another process that has the claim and does the rest.
        self.end_old_name(id, begun.life);
        reached(Step::RenameLifeEnded);
        let jobs = self.jobs_that_rest(id).await?;
        reached(Step::RenameJobsRest);
        // What was listed are this tenant's jobs, if nobody else can have had the name yet.
        if !self.is_still(&begun).await? {
            return self.follow_other(&begun, &to, &AddedJobs::default()).await;
        }
        // Refused beside a server: the server does all of it.
        let failed = |source| TenantError::NotRenamed { id: *id, to, is_undone: false, source };
        let claims =
            [self.claimed(&first).await.map_err(failed)?, self.claimed(&second).await.map_err(failed)?];
        reached(Step::RenameClaimed);
        let Some((record, _)) = self.renaming(id).await?.filter(|(record, _)| record.life == begun.life)
        else {
            return self.follow_other(&begun, &to, &jobs).await;
        };
        if let (Some(database), [Some(first), Some(second)]) =
            (self.database_of(&record).map_err(failed)?, claims.each_ref().map(|claim| claim.held.as_ref()))
        {
            if database.is_served_by_many() {
                tokio::time::sleep(NOTICED).await;
            }
            let both = Both(first.as_ref(), second.as_ref());
            if let Err(problem) = database.rename(id, &to, &both).await {
                return Err(self.undo_renaming(&record, &to, database, &both, problem).await);
            }
        }
        reached(Step::RenameDataRenamed);
        for claim in &claims {
            claim.check().await?;
        }
        self.give_jobs(&jobs, &record, &to).await?;
        for name in [id, &to] {
            self.forget_cached(name).await?;
        }
        reached(Step::RenameCacheEmptied);
        self.store().end_renaming(id, record.life, true).await?;
        reached(Step::RenameEnded);
        self.end_old_name(id, record.life);
        self.runtime.admission.directory.release(id);
        info!(tenant = %to, before = %id, "renamed");
        self.follow(&to).await?;
        reached(Step::RenameJobsRun);
        Ok(())
    }

    /// The record of a tenant that is renaming, and the name that it gets.
    async fn renaming(&self, id: &TenantId) -> Result<Option<(TenantRecord, TenantId)>, TenantError> {
        let record = if self.store().is_managed() { self.store().find(id).await? } else { None };
        let record = record.filter(|record| record.state == State::Renaming);
        Ok(record.and_then(|record| record.other_name.map(|to| (record, to))))
    }

    /// Whether what was begun has not come to its end. By then the old name may be another tenant's.
    async fn is_still(&self, begun: &TenantRecord) -> Result<bool, TenantError> {
        Ok(self.renaming(&begun.id).await?.is_some_and(|(record, _)| record.life == begun.life))
    }

    /// Whoever holds the tenant by the old name can do nothing more with it.
    fn end_old_name(&self, id: &TenantId, life: i64) {
        self.runtime.admission.directory.end_life(id, life);
    }

    async fn claimed(&self, id: &TenantId) -> Result<Claimed, DatabaseError> {
        let held = match self.databases() {
            // As for a deletion: a server that runs has the data open by the old name.
            Some(databases) => Some(databases.claim(id, true).await?),
            None => None,
        };
        Ok(Claimed { id: *id, held })
    }

    /// The jobs that were added to the tenant, none of which begins any more.
    async fn jobs_that_rest(&self, id: &TenantId) -> Result<AddedJobs, TenantError> {
        let Some(scheduler) = &self.runtime.scheduler else { return Ok(AddedJobs::default()) };
        let failed = |source| TenantError::Jobs { id: *id, source };
        scheduler.tenant_suspended(id).await.map_err(failed)?;
        scheduler.added_jobs(id).await.map_err(failed)
    }

    async fn give_jobs(
        &self,
        jobs: &AddedJobs,
        from: &TenantRecord,
        to: &TenantId,
    ) -> Result<(), TenantError> {
        if let Some(scheduler) = &self.runtime.scheduler {
            let life = self.record(to).await?.life;
            let failed = |source| TenantError::Jobs { id: *to, source };
            scheduler.take_over(jobs, to, life).await.map_err(failed)?;
            scheduler
                .take_over_queued((&from.id, from.life), (to, life), from.server.as_deref())
                .await
                .map_err(failed)?;
        }
        reached(Step::RenameJobsGiven);
        self.leave(&from.id, from.life).await?;
        reached(Step::RenameJobsTaken);
        Ok(())
    }

    /// Another process has come to the end of it, in one way or the other.
    async fn follow_other(
        &self,
        begun: &TenantRecord,
        to: &TenantId,
        jobs: &AddedJobs,
    ) -> Result<(), TenantError> {
        let is_undone = self.store().find(&begun.id).await?.is_some_and(|record| record.life == begun.life);
        if is_undone {
            self.follow(&begun.id).await?;
            return Err(TenantError::RenamingUndone { id: begun.id, to: *to });
        }
        // The jobs by the old name may be those of the next tenant that has it.
        let are_its = self.entered().get(&begun.id).is_some_and(|(life, _)| *life == begun.life);
        if are_its {
            self.give_jobs(jobs, begun, to).await?;
        }
        self.follow(to).await
    }

    /// Lets the jobs of a tenant that has a name for good run, or rest.
    async fn follow(&self, id: &TenantId) -> Result<(), TenantError> {
        self.runtime.admission.directory.forget(id);
        match self.store().find(id).await? {
            Some(record) => self.settle_jobs(&record).await,
            None => Ok(()),
        }
    }

    /// A tenant whose data cannot get the name has the old one again: it is not kept from its customers for that. What is not known to
    /// have its old name is left, to be gone on with.
    async fn undo_renaming(
        &self,
        record: &TenantRecord,
        to: &TenantId,
        database: &Database,
        claim: &dyn TenantClaim,
        source: DatabaseError,
    ) -> TenantError {
        let id = &record.id;
        reached(Step::RenameRefused);
        let is_as_before = async {
            let has_old_name = database.exists(id).await;
            let is_lost = async || matches!(database.exists(to).await, Ok(false));
            let is_elsewhere = matches!(has_old_name, Ok(false)) && !is_lost().await;
            has_old_name.is_ok() && !is_elsewhere && claim.check().await.is_ok()
        };
        let is_undone = !matches!(source, DatabaseError::Served { .. })
            && is_as_before.await
            && self.store().end_renaming(id, record.life, false).await.unwrap_or(false);
        if is_undone {
            reached(Step::RenameUndone);
            self.runtime.admission.directory.forget(to);
            if let Err(problem) = self.follow(id).await {
                return problem;
            }
        }
        TenantError::NotRenamed { id: *id, to: *to, is_undone, source }
    }

    /// Whether the tenant works on what all share.
    fn is_shared(&self, id: &TenantId) -> bool {
        id.is_public() || !self.isolates_data
    }
}
