//! Makes a tenant from rows that come, and undoes it.

use std::sync::Arc;

use tracing::{info, warn};

use super::ArchiveError;
use super::manifest::WrittenProfile;
use crate::app::claimed::Claimed;
use crate::app::{TenantError, Tenants};
use crate::db::{
    Applied, DatabaseError, Form, Inlet, Migrations, Servers, Taken, UnknownMigrations, of_applied,
};
use crate::plugin::chain;
use crate::scheduler::MovedJob;
use crate::tenancy::{State, StoreError, TenantId, TenantRecord};

/// What comes besides the rows.
pub(super) struct Coming {
    pub(super) form: Form,
    pub(super) applied: Applied,
    pub(super) profile: WrittenProfile,
    pub(super) jobs: Vec<MovedJob>,
}

impl Tenants {
    /// Makes a tenant of rows. Undone when it fails.
    pub(super) async fn receive(
        &self,
        id: &TenantId,
        server: Option<&str>,
        coming: &Coming,
        rows: Inlet,
    ) -> Result<Taken, TenantError> {
        let chosen = self.check_coming(id, coming)?;
        let servers = self.servers_for(server)?;
        let _turn = self.steps.of(id).await;
        // Before the tenant is there: whoever finds one that is importing, and gets the claim, knows that nobody works on it.
        let claim = self.claim(id, false).await?;
        match self.store().insert_importing(id, &servers).await {
            Err(StoreError::Exists { .. }) if self.get(id).await?.state == State::Importing => {
                self.undo(id, &claim).await?;
                self.store().insert_importing(id, &servers).await?;
            }
            inserted => inserted?,
        }
        let filled = match self.record_in(id, &[State::Importing]).await {
            Ok(Some(record)) => {
                self.fill(&record, coming, &chosen, rows, &claim).await.map(|rows| (record, rows))
            }
            Ok(None) => Err(StoreError::NotFound { id: *id }.into()),
            Err(problem) => Err(problem),
        };
        match filled {
            Ok((record, rows)) => {
                self.activate_jobs(id, record.life).await?;
                Ok(rows)
            }
            Err(problem) => {
                if let Err(left) = self.undo(id, &claim).await {
                    warn!(tenant = %id, error = %chain(&left), "an import that failed is not undone yet; a server does it");
                }
                Err(problem)
            }
        }
    }

    /// All that can be known before anything is made; gives those of the migrations that the data has.
    fn check_coming(&self, id: &TenantId, coming: &Coming) -> Result<Vec<Migrations>, TenantError> {
        if id.is_public() {
            return Err(TenantError::Public);
        }
        let databases = self.databases().ok_or(ArchiveError::NoDatabase)?;
        let form = databases.form();
        if coming.form != form {
            return Err(
                ArchiveError::OtherDatabase { from: coming.form.to_string(), to: form.to_string() }.into()
            );
        }
        let chosen = of_applied(&self.migrations, &coming.applied).map_err(|unknown| {
            let UnknownMigrations { plugin, names, is_known } = unknown;
            if is_known {
                ArchiveError::Newer { plugin, names }
            } else {
                ArchiveError::NoPlugin { plugin, names }
            }
        })?;
        let rules = self.runtime.admission.directory.rules();
        coming.profile.check(rules).map_err(|source| StoreError::Profile { id: *id, source })?;
        match &self.runtime.scheduler {
            Some(scheduler) => scheduler
                .check_moved(&coming.jobs)
                .map_err(|source| ArchiveError::Job { source: Arc::new(source) })?,
            None if coming.jobs.is_empty() => {}
            None => return Err(ArchiveError::NoScheduler { jobs: coming.jobs.len() }.into()),
        }
        Ok(chosen)
    }

    fn servers_for(&self, server: Option<&str>) -> Result<Vec<Arc<str>>, TenantError> {
        let Some(server) = server else {
            return Ok(self.databases().map(Servers::open_names).unwrap_or_default());
        };
        let all = self.databases().map(Servers::names).unwrap_or_default();
        match all.iter().find(|name| ***name == *server) {
            Some(server) => Ok(vec![Arc::clone(server)]),
            None => {
                let known = all.iter().map(ToString::to_string).collect();
                Err(TenantError::NoServer { server: server.to_owned(), known })
            }
        }
    }

    /// Everything up to the moment when the tenant is routable.
    async fn fill(
        &self,
        record: &TenantRecord,
        coming: &Coming,
        chosen: &[Migrations],
        rows: Inlet,
        claim: &Claimed,
    ) -> Result<Taken, TenantError> {
        let id = &record.id;
        let directory = &self.runtime.admission.directory;
        let failed = |source| TenantError::Data { id: *id, step: "made", source };
        let database = self.database_of(record).map_err(failed)?.ok_or(ArchiveError::NoDatabase)?;
        let is_current =
            chosen.iter().zip(&self.migrations).all(|(chosen, all)| chosen.all().len() == all.all().len());
        if is_current {
            self.make_data(record).await?;
        } else {
            // The tables as they were when the rows left.
            database.provision(id).await.map_err(failed)?;
            database.migrate_tenant(id, chosen).await.map_err(failed)?;
            self.empty_cache_of_new(id).await?;
        }
        let rows = database.take(id, rows).await.map_err(failed)?;
        if !is_current {
            self.migrate_as(record).await?;
        }
        let (change, rules) = (coming.profile.change(), directory.rules());
        let alter = |profile: &mut crate::tenancy::Profile| {
            change.apply(profile)?;
            change.check(profile, rules)
        };
        self.store().change(id, &alter).await?;
        if let Some(scheduler) = &self.runtime.scheduler {
            let failed = |source| TenantError::Jobs { id: *id, source };
            scheduler.take_moved(id, record.life, &coming.jobs).await.map_err(failed)?;
        }
        claim.check().await?;
        if !self.store().advance(id, record.life, State::Importing, State::Active).await? {
            return Err(StoreError::NotFound { id: *id }.into());
        }
        directory.release(id);
        directory.forget(id);
        Ok(rows)
    }

    /// Undoes an import that nobody works on any more.
    pub(in crate::app) async fn undo_import(&self, id: &TenantId) -> Result<(), TenantError> {
        let _turn = self.steps.of(id).await;
        let claim = self.claim(id, true).await?;
        self.undo(id, &claim).await
    }

    /// Undoes the imports that nobody works on any more, and waits for those that somebody does; `false` when some are left.
    pub(in crate::app) async fn undo_imports(&self) -> bool {
        if !self.store().is_managed() {
            return true;
        }
        let records = match self.list().await {
            Ok(records) => records,
            Err(problem) => {
                warn!(error = %chain(&problem), "the directory cannot be read");
                return false;
            }
        };
        let mut is_done = true;
        for record in records.iter().filter(|record| record.state == State::Importing) {
            if let Err(problem) = self.undo_import(&record.id).await {
                is_done = false;
                info!(tenant = %record.id, error = %chain(&problem), "an import is under way, or cannot be undone yet");
            }
        }
        is_done
    }

    /// The data goes first, and without hooks. What is cut off after that is a deletion of a tenant without data, which runs none either.
    async fn undo(&self, id: &TenantId, claim: &Claimed) -> Result<(), TenantError> {
        let Some(record) = self.record_in(id, &[State::Importing]).await? else { return Ok(()) };
        let failed = |source| TenantError::Data { id: *id, step: "dropped", source };
        claim.check().await?;
        if let Some(scheduler) = &self.runtime.scheduler {
            let failed = |source| TenantError::Jobs { id: *id, source };
            scheduler.tenant_removed(id, record.life).await.map_err(failed)?;
        }
        if let (Some(database), Some(held)) = (self.database_of(&record).map_err(failed)?, &claim.held) {
            match database.remove(id, held.as_ref()).await {
                // With `isolate_db: false` nothing came.
                Ok(()) | Err(DatabaseError::NotRemovable { .. }) => {}
                Err(source) => return Err(failed(source)),
            }
        }
        self.forget_cached(id).await?;
        if self.store().advance(id, record.life, State::Importing, State::Deleting).await? {
            self.store().remove(id, record.life).await?;
        }
        self.runtime.admission.directory.release(id);
        self.runtime.admission.directory.forget(id);
        info!(tenant = %id, "an import that did not come to its end is undone");
        Ok(())
    }
}
