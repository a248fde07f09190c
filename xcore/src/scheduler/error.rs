//! What can go wrong with jobs.

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::JobCall;
use super::job::MAX_ID;
use super::schedule::{LONGEST_INTERVAL, SHORTEST_INTERVAL};
use crate::tenancy::TenantId;

/// Why the scheduler did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchedulerError {
    /// The cron expression cannot be read.
    #[error(
        "`{expression}` is no cron expression; write 5 fields (minute hour day month weekday) or 6 (second first)"
    )]
    InvalidCron {
        /// The expression as it was written.
        expression: String,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The cron expression names a date that does not come, such as 30 February.
    #[error("the cron expression `{expression}` never comes due; check its day and month")]
    NeverDue {
        /// The expression as it was written.
        expression: String,
    },
    /// The time zone is not in the IANA database.
    #[error("`{zone}` is no time zone; use an IANA name such as `Europe/Berlin` or `UTC`")]
    UnknownZone {
        /// The name as it was written.
        zone: String,
    },
    /// The interval is too short or too long.
    #[error("a job cannot run every {interval:?}; use between {SHORTEST_INTERVAL:?} and {} days", LONGEST_INTERVAL.as_secs() / 86_400)]
    Interval {
        /// The interval that was asked for.
        interval: Duration,
    },
    /// The time lies too far in the future to be written as a date.
    #[error("a job cannot run after {delay:?}: no date is that far away")]
    TooFar {
        /// The delay that was asked for.
        delay: Duration,
    },
    /// The id cannot name a dynamic job.
    #[error(
        "`{id}` cannot name a job that is added at run time; use 1 to {MAX_ID} bytes without `.` (kept for #[job] methods) and control characters"
    )]
    InvalidId {
        /// The id as it was given.
        id: String,
    },
    /// The job runs once for the app, so it is no tenant's to schedule.
    #[error(
        "`{call}` has `per = \"app\"`, so no tenant can schedule it; schedule a job with `per = \"tenant\"`"
    )]
    OfTheApp {
        /// The call.
        call: JobCall,
    },
    /// The tenant has as many jobs as its plan allows.
    #[error(
        "tenant `{tenant}` has as many jobs as its plan allows ({most}), not counting those of #[job]; remove one, or raise `jobs` of the plan"
    )]
    TooMany {
        /// The tenant.
        tenant: TenantId,
        /// How many the plan allows.
        most: usize,
    },
    /// No job of this tenant has the id.
    #[error("there is no job `{id}`; list() names those there are")]
    NoSuchJob {
        /// The id as it was given.
        id: String,
    },
    /// A job that `#[job]` declares was to be removed.
    #[error("job `{id}` is declared by #[job] and cannot be removed at run time; pause it")]
    Declared {
        /// The id of the job.
        id: String,
    },
    /// No plugin of this app has the method that was to be called.
    #[error("no plugin of this app has the job `{call}`; pass what the generated `..Jobs` type gives")]
    UnknownCall {
        /// What was to be called.
        call: JobCall,
    },
    /// The arguments of a job cannot be written down.
    #[error("the arguments for the job `{call}` cannot be stored: {reason}")]
    Arguments {
        /// What was to be called.
        call: JobCall,
        /// What serde said.
        reason: String,
    },
    /// The arguments of a job are too long.
    #[error(
        "the arguments for the job `{call}` take {bytes} bytes as JSON, of which there may be {most}; keep what is long in the database, and pass what names it"
    )]
    LongArguments {
        /// What was to be called.
        call: JobCall,
        /// How long they are.
        bytes: usize,
        /// How long they may be.
        most: usize,
    },
    /// `run_now` met a run of the same job whose `overlap` allows no second one.
    #[error(
        "job `{id}` is running or waiting already, and its overlap rule allows no further run; try again when it is done"
    )]
    Overlapping {
        /// The id of the job.
        id: String,
    },
    /// The tenant was deleted while a handle of it was still held.
    #[error("tenant `{tenant}` was deleted, so it cannot have jobs")]
    TenantDeleted {
        /// The tenant.
        tenant: TenantId,
    },
    /// Isolation is off and there is no tenant as which jobs could run.
    #[error(
        "tenancy.isolate_scheduler is false, so jobs run as the default tenant, and there is none; set tenancy.default_tenant"
    )]
    NoDefaultTenant,
    /// A transaction that is not one of the tenant's database.
    #[error(
        "work was to be put in line within a transaction that is not one of this tenant's database; begin it on `ctx.db` of the same context"
    )]
    OtherTransaction,
    /// Work was put in line within a transaction, and this app stores none that way.
    #[error("this app has no outbox, because it has no database (`services.database`)")]
    NoOutbox,
    /// So much work waits in memory that no more is taken.
    #[error(
        "{most} queued runs of the tenant wait in memory, and no more are taken; put in line less at once, or use `services.scheduler.backend: database`"
    )]
    LineFull {
        /// How many may wait.
        most: usize,
    },
    /// The app is stopping.
    #[error("the scheduler is stopping and takes no further runs")]
    Stopping,
    /// `start` was called a second time.
    #[error("the scheduler was started already")]
    AlreadyStarted,
    /// The operating system gave no random bytes.
    #[error("cannot make a name for this process")]
    Random {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A job in the store cannot be read.
    #[error(
        "job `{id}` is stored in a way that this version cannot read; a newer version may have stored it"
    )]
    Unreadable {
        /// The id of the job.
        id: String,
    },
    /// The alarm clock did not take the next instant. The scheduler then watches the time itself.
    #[error("the alarm for {at} could not be set")]
    Alarm {
        /// When it was to ring.
        at: DateTime<Utc>,
        /// What the alarm clock reported.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store of jobs did not answer.
    #[error("the store of jobs is not available; the call may be repeated later")]
    Unavailable {
        /// What the store reported.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl SchedulerError {
    /// Whether the store was out of reach or the app is stopping, so that the same call may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Stopping)
    }
}
