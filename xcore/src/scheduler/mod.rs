//! Jobs that belong to tenants: `#[job]` methods and `ctx.scheduler`.
//!
//! A `#[job(cron = "..")]` method runs for every active tenant, in a context of that tenant. A plugin that
//! declares `services(scheduler)` can also give its tenant jobs while it runs, through a
//! [`TenantScheduler`]: `ctx.scheduler.cron("nightly", "0 0 3 * * *", OrdersJobs::clean_up())`.
//!
//! Ids are the tenant's own. They are stored and logged as `tenant:job`, so `nightly` of `acme` and of
//! `globex` are two jobs, and no call through a handle reaches another tenant's. The id of a `#[job]` is
//! `plugin.method`, for example `orders.daily_report`. With `isolate_scheduler: false` ids are shared and
//! jobs run as the default tenant.
//!
//! # When a job runs
//!
//! See [`Schedule`] for cron fields, time zones and what happens when clocks change for daylight saving.
//! When the process was held up or asleep, one run stands for all ticks that were missed meanwhile, unless the job has another
//! [`Misfire`]; so it is for the time when no process ran, where jobs are stored. With jobs in memory such ticks are not made up for. When the system clock is
//! set back, a cron job does not repeat the ticks it has had, unless jobs are in memory and the step is more than three hours.
//!
//! # How runs are started
//!
//! At a tick, the runs of all tenants stand in line. `services.scheduler.concurrency` of them run at once.
//! Tenants take turns, so that many runs of one tenant never keep those of another waiting for long.
//! [`Overlap`] says what happens when the earlier run of the same job of the same tenant is not done. A run
//! that fails, panics or takes too long ends alone. A process that stops waits for its runs for the grace
//! time and cancels the rest.
//!
//! # Where jobs are kept
//!
//! With `services.scheduler.backend: memory`, the default, jobs live in the memory of the process: jobs of `#[job]` are there again
//! after a restart, dynamic ones are not, and each of several processes runs every job.
//!
//! With `backend: database` jobs, pauses and runs that wait are kept beside the directory of tenants and outlast the process. On
//! PostgreSQL several processes share them: each tick of each job is run by one of them, as a rule once. A process has a run for the time of
//! a lease (`services.scheduler.lease`, 30 s) and renews it. When the process dies, another one runs it when the lease ends; when it stops in order, at
//! once. So a run may begin a second time after a failure of its process, and then with the same tick. A process that stood still and wakes after its lease
//! ended stops the run, and its outcome is not taken; what the run has written by then stays written. A job whose effects must not
//! come twice makes sure of it itself. A run that was lost with its process five times is given up.
//!
//! On SQLite the data folder is locked, so there is one process.

mod agenda;
mod alarm;
mod arguments;
mod backend;
mod claiming;
mod claims;
mod clock;
mod database;
mod driver;
mod error;
mod handle;
mod job;
mod lease;
mod memory;
mod misfire;
mod moved;
mod outbox;
mod queue;
mod retries;
mod runner;
mod runs;
mod schedule;
mod service;

#[cfg(test)]
mod tests;

pub use arguments::JobArguments;
pub(crate) use database::{JobTables, Keep, RetryColumn, Stored};
pub use error::SchedulerError;
pub use handle::{JobInfo, TenantScheduler};
pub(crate) use job::Rules;
pub use job::{JobCall, Misfire, Overlap};
pub(crate) use moved::MovedJob;
pub(crate) use outbox::{Admit, Admitted, Outbox, Rounds};
#[cfg(all(test, feature = "postgres"))]
pub(crate) use outbox::{PUT, prepare};
pub(crate) use queue::QueueTables;
pub use queue::{DeadLetter, DeadLetters, Enqueue};
pub use retries::Retries;
pub(crate) use runner::{JobFailure, JobRun, JobRunner};
pub use schedule::Schedule;
pub use service::Scheduler;
pub(crate) use service::{AddedJobs, SchedulerSettings, StaticJob};
