//! Queued runs that failed for good.

use chrono::{DateTime, Utc};

use crate::scheduler::job::JobKey;
use crate::scheduler::{JobCall, SchedulerError, TenantScheduler};

/// A queued run that failed for good: its retries are used up, or it was lost with its process too often.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// What names it: for [`DeadLetters::retry`] and [`DeadLetters::discard`].
    pub id: String,
    /// What was called, with what.
    pub job: JobCall,
    /// When it was put in line.
    pub enqueued_at: DateTime<Utc>,
    /// When its last try ended.
    pub failed_at: DateTime<Utc>,
    /// How the last try ended: `failed`, `panicked`, `timed_out`, `refused`, or `lost` with its process.
    pub outcome: String,
    /// What the last try said, if anything.
    pub error: Option<String>,
}

/// The dead letters of one tenant; see [`TenantScheduler::dead_letters`].
#[derive(Clone, Debug)]
pub struct DeadLetters<'a> {
    scheduler: &'a TenantScheduler,
}

impl TenantScheduler {
    /// What was put in line by [`enqueue`](Self::enqueue) and failed for good. This tenant's only.
    ///
    /// They are kept for 30 days, and of a tenant the latest 1,000; with jobs in memory, as long as the process lives.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters<'_> {
        DeadLetters { scheduler: self }
    }
}

impl DeadLetters<'_> {
    /// All of them, the latest first.
    ///
    /// # Errors
    /// When the tenant was deleted or the store is unavailable.
    pub async fn list(&self) -> Result<Vec<DeadLetter>, SchedulerError> {
        let (owner, engine) = (self.scheduler.owner()?, &self.scheduler.core.engine);
        match engine.backend.queue() {
            Some(queue) => queue.dead_letters(owner).await,
            None => Ok(engine.runs.dead.list(owner)),
        }
    }

    /// Puts one in line again, with all its retries, and says whether there was one.
    ///
    /// # Errors
    /// When no plugin has its method any more, the tenant was deleted or the store is unavailable.
    pub async fn retry(&self, id: &str) -> Result<bool, SchedulerError> {
        let (key, core) = (self.key(id)?, &self.scheduler.core);
        match core.engine.backend.queue() {
            Some(queue) => {
                let is_there = queue.retry(&key).await?;
                core.engine.wake();
                Ok(is_there)
            }
            None => match core.engine.runs.dead.take(&key) {
                Some(run) => core.engine.runs.offer_queued(run).map(|()| true),
                None => Ok(false),
            },
        }
    }

    /// Forgets one, and says whether there was one.
    ///
    /// # Errors
    /// When the tenant was deleted or the store is unavailable.
    pub async fn discard(&self, id: &str) -> Result<bool, SchedulerError> {
        let (key, engine) = (self.key(id)?, &self.scheduler.core.engine);
        match engine.backend.queue() {
            Some(queue) => queue.discard(&key).await,
            None => Ok(engine.runs.dead.take(&key).is_some()),
        }
    }

    fn key(&self, id: &str) -> Result<JobKey, SchedulerError> {
        Ok(JobKey { owner: self.scheduler.owner()?, id: id.into() })
    }
}
