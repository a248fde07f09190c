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
//! Ticks that pass while the process is down are not made up for. When the process was held up or asleep,
//! one run stands for all ticks that were missed meanwhile. When the system clock is set back, a cron job
//! does not repeat the ticks it has had, unless the step is more than three hours.
//!
//! # How runs are started
//!
//! At a tick, the runs of all tenants stand in line. `services.scheduler.concurrency` of them run at once.
//! Tenants take turns, so that many runs of one tenant never keep those of another waiting for long.
//! [`Overlap`] says what happens when the earlier run of the same job of the same tenant is not done. A run
//! that fails, panics or takes too long ends alone. A process that stops waits for its runs for the grace
//! time and cancels the rest.
//!
//! Jobs live in memory: jobs of `#[job]` are there again after a restart, dynamic ones are not.

mod agenda;
mod alarm;
mod backend;
mod clock;
mod driver;
mod error;
mod handle;
mod job;
mod memory;
mod moved;
mod runner;
mod runs;
mod schedule;
mod service;

#[cfg(test)]
mod tests;

pub use error::SchedulerError;
pub use handle::{JobInfo, TenantScheduler};
pub use job::{JobCall, Overlap};
pub(crate) use moved::MovedJob;
pub(crate) use runner::{JobFailure, JobRun, JobRunner};
pub use schedule::Schedule;
pub use service::Scheduler;
pub(crate) use service::{SchedulerSettings, StaticJob};
