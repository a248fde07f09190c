//! The jobs that a tenant has added, written down for an archive or a clone of it.

use serde::{Deserialize, Serialize};

use super::job::{JobEntry, JobKey, Owner, check_dynamic_id};
use super::schedule::WrittenSchedule;
use super::{JobCall, Scheduler, SchedulerError};
use crate::tenancy::TenantId;

/// A job that was added at run time. How long it may take and whether runs overlap is what `#[job]` says where it arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MovedJob {
    pub(crate) id: String,
    pub(crate) call: JobCall,
    pub(crate) schedule: WrittenSchedule,
    pub(crate) paused: bool,
}

impl Scheduler {
    /// The jobs that a tenant has added, by id. With isolation off none is known to be the tenant's.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub(crate) async fn jobs_to_move(&self, id: &TenantId) -> Result<Vec<MovedJob>, SchedulerError> {
        let core = self.core();
        let owner @ Owner::Tenant(_) = core.owner(*id) else { return Ok(Vec::new()) };
        let entries = core.engine.backend.list(owner).await?;
        let added = entries.into_iter().filter(|entry| !entry.declared);
        Ok(added
            .map(|JobEntry { key, call, schedule, paused, .. }| MovedJob {
                id: key.id.as_ref().to_owned(),
                call,
                schedule: WrittenSchedule::of(&schedule),
                paused,
            })
            .collect())
    }

    /// Whether these jobs could be a tenant's here.
    ///
    /// # Errors
    /// At the first that could not.
    pub(crate) fn check_moved(&self, jobs: &[MovedJob]) -> Result<(), SchedulerError> {
        for job in jobs {
            check_dynamic_id(&job.id)?;
            job.schedule.read()?;
            self.core().declared_of_tenants(&job.call)?;
        }
        Ok(())
    }

    /// Gives a tenant that is not active yet the jobs; they rest until it is [activated](Scheduler::tenant_activated).
    ///
    /// # Errors
    /// When one cannot be a tenant's, or the store is unavailable.
    pub(crate) async fn take_moved(
        &self,
        id: &TenantId,
        life: i64,
        jobs: &[MovedJob],
    ) -> Result<(), SchedulerError> {
        self.tenant_opened(id, life).await?;
        let core = self.core();
        let owner @ Owner::Tenant(_) = core.owner(*id) else { return Ok(()) };
        self.tenant_suspended(id).await?;
        for job in jobs {
            check_dynamic_id(&job.id)?;
            let declared = core.declared_of_tenants(&job.call)?;
            let now = core.engine.clock.now();
            let key = JobKey { owner, id: job.id.as_str().into() };
            let entry = JobEntry {
                key,
                call: job.call.clone(),
                schedule: job.schedule.read()?,
                rules: declared.rules,
                declared: false,
                paused: job.paused,
                since: now,
            };
            core.engine.backend.put(entry).await?;
        }
        Ok(())
    }
}
