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
//! See [`Schedule`] for cron fields, time zones and daylight saving: a time that is skipped comes at the first moment after the gap, one that is
//! repeated comes once, and `*` or a list of hours follows real time.
//!
//! **Missed ticks.** When the process was held up or asleep, one run stands for all ticks that were missed meanwhile, unless the job has another
//! [`Misfire`]; so it is for the time when no process ran, where jobs are stored. With jobs in memory such ticks are not made up for.
//! Ticks of a pause or of a suspension are never made up for, except that a job for one time, which has passed, runs at once.
//!
//! **Clock jumps.** A clock that is set forward is a time that was slept through: what was due in it counts as missed. When it is set
//! back, a cron job does not repeat the ticks it has had, unless jobs are in memory and the step is more than three hours; an interval
//! in memory goes on from the new time. Stored jobs go by the clock of the database, whatever the clocks of the processes say.
//!
//! **Later than the tick.** With `jitter`, or `services.scheduler.spread`, the runs of one tick begin over a window, each at the place that the hash
//! of tenant, job and tick gives it.
//!
//! # How runs are started
//!
//! At a tick, the runs of all tenants stand in line. `services.scheduler.concurrency` of them run at once.
//! Tenants take turns, so that many runs of one tenant never keep those of another waiting for long.
//! [`Overlap`] says what happens when the earlier run of the same job of the same tenant is not done. A run
//! that fails, panics or takes too long ends alone; `retries` says how often it is tried again. A run that waits for its retry, or for its
//! place in the window, goes with its job and its tenant. A process that stops starts nothing more, waits for its runs for the grace
//! time and cancels the rest; those of stored jobs are another process's at once.
//!
//! A job with `per = "app"` runs once a tick and belongs to no tenant: see [`Per`].
//!
//! # What is known of runs
//!
//! [`TenantScheduler::history`] shows how the last runs of a job ended. Each run is a span `job` with its plugin, job, tenant, id, tick and
//! attempt. Through the crate `metrics` are told, by job and never by tenant: `xcore_job_runs_total` (with its outcome), `xcore_job_retries_total`,
//! `xcore_job_ticks_left_out_total`, `xcore_job_run_seconds` and `xcore_job_lateness_seconds`.
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
mod figures;
mod handle;
mod history;
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
pub(crate) use database::{AddedColumn, JobTables, RetryColumn, Stored};
pub use error::SchedulerError;
pub use handle::{JobInfo, TenantScheduler};
pub(crate) use history::Keep;
pub use history::{RunInfo, RunOutcome};
pub(crate) use job::Rules;
pub use job::{JobCall, Misfire, Overlap, Per};
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
