//! The handle that plugins hold: the jobs of one tenant.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::backend::Work;
use super::job::{JobCall, JobEntry, JobKey, Overlap, Owner, check_dynamic_id};
use super::runs::{Offered, Planned};
use super::service::Core;
use super::{Misfire, Retries, RunInfo, Schedule, SchedulerError};
use crate::tenancy::Tenant;

/// The jobs of one tenant. Cheap to clone, and safe to move into a spawned task: it carries its tenant.
///
/// Adding a job under an id that the tenant has already replaces it in one step; a paused job stays paused.
/// How long a run may take and whether runs overlap is what `#[job]` says of the method. Jobs that `#[job]`
/// schedules are in the list, too, as `plugin.method`: they can be paused, resumed and run, not removed.
///
/// All calls are cancellation safe: a dropped call was done in full or not at all, except that a job that
/// was just added may then be awaited only from the next change or start on.
#[derive(Clone)]
pub struct TenantScheduler {
    pub(super) core: Arc<Core>,
    /// `None` with isolation off.
    pub(super) tenant: Option<Tenant>,
}

/// A job as [`TenantScheduler::get`] and [`TenantScheduler::list`] show it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobInfo {
    /// The id within the tenant, without a prefix.
    pub id: String,
    /// The method that it calls.
    pub call: JobCall,
    /// When it runs.
    pub schedule: Schedule,
    /// What happens while the earlier run is not done.
    pub overlap: Overlap,
    /// How often a run that failed is tried again.
    pub retries: Retries,
    /// What happens at ticks that were missed.
    pub misfire: Misfire,
    /// How long a run may take; `None` means that the app's own limit holds.
    pub timeout: Option<Duration>,
    /// Whether `#[job]` declares it, so that it cannot be removed.
    pub declared: bool,
    /// Whether ticks pass without a run.
    pub paused: bool,
    /// The next tick; `None` while it is paused.
    pub next_run: Option<DateTime<Utc>>,
}

impl TenantScheduler {
    /// Adds a job by a cron expression in the time zone of the app (`services.scheduler.timezone`). For
    /// another zone use [`add`](Self::add) with [`Schedule::cron`].
    ///
    /// # Errors
    /// When the expression cannot be read, and as [`add`](Self::add).
    pub async fn cron(&self, id: &str, expression: &str, call: JobCall) -> Result<(), SchedulerError> {
        self.add(id, Schedule::cron_in(expression, self.core.zone)?, call).await
    }

    /// Adds a job at an interval. See [`Schedule::every`].
    ///
    /// # Errors
    /// When the interval is outside its limits, and as [`add`](Self::add).
    pub async fn every(&self, id: &str, interval: Duration, call: JobCall) -> Result<(), SchedulerError> {
        self.add(id, Schedule::every(interval)?, call).await
    }

    /// Adds a job that runs once, at an instant. One that has passed means at once. The job is gone as soon
    /// as its run is in line.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn at(&self, id: &str, time: DateTime<Utc>, call: JobCall) -> Result<(), SchedulerError> {
        self.add(id, Schedule::at(time), call).await
    }

    /// Adds a job that runs once, after a delay. See [`at`](Self::at).
    ///
    /// # Errors
    /// When no date is that far away, and as [`add`](Self::add).
    pub async fn after(&self, id: &str, delay: Duration, call: JobCall) -> Result<(), SchedulerError> {
        let time = chrono::TimeDelta::from_std(delay)
            .ok()
            .and_then(|delay| self.core.engine.clock.now().checked_add_signed(delay))
            .ok_or(SchedulerError::TooFar { delay })?;
        self.at(id, time, call).await
    }

    /// Adds a job, in place of the one that has the id.
    ///
    /// # Errors
    /// When the id is empty, too long or could be that of a declared job; when no plugin has the method;
    /// when the tenant was deleted or has as many jobs as its plan allows; when the store is unavailable.
    pub async fn add(&self, id: &str, schedule: Schedule, call: JobCall) -> Result<(), SchedulerError> {
        check_dynamic_id(id)?;
        let declared = self.core.declared_of_tenants(&call)?;
        call.arguments.check(&call)?;
        let engine = &self.core.engine;
        let entry = JobEntry {
            key: self.key(id)?,
            call,
            schedule: schedule.clone(),
            rules: declared.rules,
            declared: false,
            paused: false,
            since: engine.clock.now(),
        };
        match self.tenant.as_ref().and_then(|tenant| Some((tenant, tenant.most_jobs()?))) {
            None => engine.backend.put(entry).await?,
            Some((tenant, most)) => engine.backend.put_within(entry, tenant.id(), most).await?,
        };
        engine.follow(&schedule);
        Ok(())
    }

    /// Removes a job with its waiting runs and says whether there was one. A run under way goes on.
    ///
    /// # Errors
    /// When `#[job]` declares the job or the store is unavailable.
    pub async fn remove(&self, id: &str) -> Result<bool, SchedulerError> {
        let key = self.key(id)?;
        let engine = &self.core.engine;
        match engine.backend.get(&key).await? {
            None => return Ok(false),
            Some(entry) if entry.declared => return Err(SchedulerError::Declared { id: id.to_owned() }),
            Some(_) => {}
        }
        let removed = engine.backend.remove(&key).await?;
        engine.runs.cancel_job(&key);
        Ok(removed.is_some())
    }

    /// Lets ticks pass without a run until [`resume`](Self::resume). Runs that wait or are under way go on.
    ///
    /// # Errors
    /// When there is no such job or the store is unavailable.
    pub async fn pause(&self, id: &str) -> Result<(), SchedulerError> {
        self.set_paused(id, true).await.map(drop)
    }

    /// Ends a pause, from now on: ticks that passed are not made up for, except that a job for one time,
    /// which has passed, runs at once.
    ///
    /// # Errors
    /// When there is no such job or the store is unavailable.
    pub async fn resume(&self, id: &str) -> Result<(), SchedulerError> {
        let entry = self.set_paused(id, false).await?;
        self.core.engine.follow(&entry.schedule);
        Ok(())
    }

    /// Puts a run in line now, whether or not the job is paused, and does not wait for it. Ticks come as
    /// before.
    ///
    /// # Errors
    /// When there is no such job, a run of it would overlap against its rule, the app is stopping or the
    /// store is unavailable.
    pub async fn run_now(&self, id: &str) -> Result<(), SchedulerError> {
        let engine = &self.core.engine;
        if let Work::Claims(claims) = engine.backend.work() {
            let accepted = claims.run_now(&self.key(id)?).await?;
            return match accepted {
                Some(true) => {
                    engine.wake();
                    Ok(())
                }
                Some(false) => Err(SchedulerError::Overlapping { id: id.to_owned() }),
                None => Err(SchedulerError::NoSuchJob { id: id.to_owned() }),
            };
        }
        let entry = self.entry(id).await?.ok_or_else(|| SchedulerError::NoSuchJob { id: id.to_owned() })?;
        match engine.runs.offer(Planned::new(&entry, engine.clock.now())) {
            Offered::Accepted => Ok(()),
            Offered::Overlapping => Err(SchedulerError::Overlapping { id: id.to_owned() }),
            Offered::Closed => Err(SchedulerError::Stopping),
        }
    }

    /// One job, or `None`.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn get(&self, id: &str) -> Result<Option<JobInfo>, SchedulerError> {
        Ok(self.entry(id).await?.map(|entry| self.info(entry)))
    }

    /// All jobs of the tenant, by id.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn list(&self) -> Result<Vec<JobInfo>, SchedulerError> {
        let entries = self.core.engine.backend.list(self.owner()?).await?;
        Ok(entries.into_iter().map(|entry| self.info(entry)).collect())
    }

    /// The next tick of a job; `None` when there is no such job or it is paused.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn next_run(&self, id: &str) -> Result<Option<DateTime<Utc>>, SchedulerError> {
        Ok(self.get(id).await?.and_then(|job| job.next_run))
    }

    /// How the last runs of a job ended, the latest first: those of a job that is gone by now, too. `services.scheduler.history` says how many
    /// are kept of a job, and `history_days` for how long. A run that is to be tried again has not ended. With jobs in memory at
    /// most 1,000 runs of a tenant are kept, 50,000 of all, and none after a restart.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn history(&self, id: &str) -> Result<Vec<RunInfo>, SchedulerError> {
        let (engine, key) = (&self.core.engine, self.key(id)?);
        match engine.backend.work() {
            Work::Claims(claims) => claims.history(&key).await,
            Work::Agenda(_) => Ok(engine.runs.history.of(&key, engine.clock.now())),
        }
    }

    async fn entry(&self, id: &str) -> Result<Option<JobEntry>, SchedulerError> {
        self.core.engine.backend.get(&self.key(id)?).await
    }

    async fn set_paused(&self, id: &str, paused: bool) -> Result<JobEntry, SchedulerError> {
        let engine = &self.core.engine;
        let entry = engine.backend.set_paused(&self.key(id)?, paused, engine.clock.now()).await?;
        entry.ok_or_else(|| SchedulerError::NoSuchJob { id: id.to_owned() })
    }

    /// Whose jobs these are. Another tenant may have the name of one that was deleted.
    pub(super) fn owner(&self) -> Result<Owner, SchedulerError> {
        match &self.tenant {
            None => Ok(Owner::Shared),
            Some(tenant) if tenant.has_ended() => Err(SchedulerError::TenantDeleted { tenant: *tenant.id() }),
            Some(tenant) => Ok(Owner::Tenant(*tenant.id())),
        }
    }

    fn key(&self, id: &str) -> Result<JobKey, SchedulerError> {
        Ok(JobKey { owner: self.owner()?, id: id.into() })
    }

    fn info(&self, entry: JobEntry) -> JobInfo {
        let next_run =
            if entry.paused { None } else { entry.schedule.first_from(self.core.engine.clock.now()) };
        JobInfo {
            id: entry.key.id.as_ref().to_owned(),
            call: entry.call,
            schedule: entry.schedule,
            overlap: entry.rules.overlap,
            retries: entry.rules.retries,
            misfire: entry.rules.misfire,
            timeout: entry.rules.timeout,
            declared: entry.declared,
            paused: entry.paused,
            next_run,
        }
    }
}

impl fmt::Debug for TenantScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TenantScheduler").field(&self.tenant).finish()
    }
}
