//! One run, from its turn to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;

use super::{Planned, Runs};
use crate::scheduler::claims::Ending;
use crate::scheduler::figures;
use crate::scheduler::history::{LONGEST_ERROR, RunInfo, RunOutcome};
use crate::scheduler::job::{JobKey, Owner, Per};
use crate::scheduler::runner::{JobFailure, JobRun, JobRunner};

/// A run that outlives its timeout by this is dropped here, should the runner fail to stop it.
const SLACK: Duration = Duration::from_secs(1);

impl Runs {
    /// Runs one run to its end, whatever happens in it.
    pub(super) async fn supervise(self: Arc<Self>, number: u64, runner: Arc<dyn JobRunner>, run: Planned) {
        // Made at the first poll: a task that never ran (the runtime is gone) must not take the lock when
        // it is dropped, because `fill` holds it then.
        let mut done = Done { runs: Arc::clone(&self), number, key: Some(run.key.clone()) };
        let tenant = match (run.key.owner, self.default_tenant) {
            (Owner::Tenant(tenant), _) => Some(tenant),
            (Owner::Shared, Some(default)) => Some(default),
            (Owner::App, _) => None,
            // `Scheduler` refuses to be made this way.
            (Owner::Shared, None) => return,
        };
        let limit = run.rules.timeout;
        let planned = run.clone();
        let (key, tick, lease) = (run.key, run.tick, run.lease);
        let (failures, call, started) = (run.failures, run.call.clone(), self.clock.now());
        figures::begun(&call, (started - tick).to_std().unwrap_or_default());
        let run = JobRun { tenant, call: run.call, id: key.id.to_string(), tick, failures, timeout: limit };
        let outcome = AssertUnwindSafe(async move { runner.run(run).await }).catch_unwind();
        let outcome = async {
            match limit {
                Some(limit) => timeout(limit.saturating_add(SLACK), outcome)
                    .await
                    .unwrap_or(Ok(Err(JobFailure::TimedOut { limit }))),
                None => outcome.await,
            }
        };
        let outcome = match &lease {
            Some(lease) => tokio::select! {
                outcome = outcome => outcome,
                () = lease.lost() => {
                    lease.forget();
                    tracing::warn!(job = %key, %tick, "stopped a run: its lease was over, so another process may have it");
                    return;
                }
            },
            None => outcome.await,
        };
        let outcome = outcome.unwrap_or_else(|panic| Err(JobFailure::Panicked { message: message(&*panic) }));
        if let Some(lease) = &lease {
            match &outcome {
                Ok(()) => lease.end(Ending::Done),
                // Whoever finds the tenant active again runs it.
                Err(JobFailure::Suspended) => return lease.end(Ending::Released),
                // Its tenant is not there yet, or cannot be asked for. A job of the app is none of a tenant's, and never will be.
                Err(JobFailure::Refused { .. }) if planned.is_queued && planned.rules.per == Per::Tenant => {
                    return lease.end(Ending::Released);
                }
                // Of what was queued there may be much. It would take the places of what other tenants have waiting.
                Err(JobFailure::Crowded { .. }) if planned.is_queued => {
                    lease.end(Ending::Released);
                    self.line().crowd_out(&planned.key);
                    done.key = None;
                    return;
                }
                // It waits here, and its lease is renewed.
                Err(JobFailure::Crowded { .. }) => {}
                Err(failure) => {
                    let (outcome, error) = (failure.outcome(), with_causes(failure));
                    lease.end(Ending::Failed { outcome, error, retry_after: planned.retry_after(failure) });
                }
            }
        }
        let ended = self.clock.now();
        let info = |outcome, error| RunInfo {
            tenant: match key.owner {
                Owner::Tenant(tenant) => Some(tenant),
                Owner::Shared | Owner::App => None,
            },
            job: key.id.to_string(),
            tick,
            started: Some(started),
            ended,
            outcome,
            failures,
            error,
        };
        // Each queued run is a job of its own, so it is remembered as one of its method.
        let of = if planned.is_queued { planned.method_key() } else { key.clone() };
        let took = (ended - started).to_std().unwrap_or_default();
        match outcome {
            Ok(()) => {
                figures::ended(&call, RunOutcome::Done, took);
                if lease.is_none() {
                    self.write_down(&of, info(RunOutcome::Done, None));
                }
            }
            Err(JobFailure::Suspended) if self.line().put_back(planned.clone()) => {}
            Err(JobFailure::Crowded { .. }) => {
                // From here on it is not under way: its end is not what the others wait for.
                done.key = None;
                self.line().crowd(planned);
            }
            Err(JobFailure::Refused { .. }) if planned.is_queued && lease.is_none() => {
                self.try_later(planned)
            }
            Err(failure) => {
                let error = &failure as &dyn std::error::Error;
                figures::ended(&call, failure.outcome(), took);
                match planned.retry_after(&failure) {
                    None => {
                        tracing::error!(job = %key, %tick, error, "a job failed");
                        if lease.is_none() {
                            let text = with_causes(&failure).chars().take(LONGEST_ERROR).collect();
                            self.write_down(&of, info(failure.outcome(), Some(text)));
                        }
                        if planned.is_queued && lease.is_none() {
                            self.bury(planned, failure.outcome().as_str(), with_causes(&failure));
                        }
                    }
                    Some(after) => {
                        figures::tried_again(&call);
                        tracing::warn!(job = %key, %tick, ?after, error, "a job failed and is tried again");
                        // Of a claimed run the store looks after it.
                        if lease.is_none() {
                            self.retry(planned, after);
                        }
                    }
                }
            }
        }
        drop(done);
    }
}

/// Gives the place of a run free, also when it is cancelled.
struct Done {
    runs: Arc<Runs>,
    number: u64,
    /// `None` when it never was under way.
    key: Option<JobKey>,
}

impl Drop for Done {
    fn drop(&mut self) {
        let mut line = self.runs.line();
        line.running.remove(&self.number);
        if let Some(key) = &self.key {
            line.end(key);
            line.uncrowd(key.owner);
        }
        self.runs.fill(&mut line);
        drop(line);
        self.runs.ended_so_far.fetch_add(1, Ordering::Relaxed);
        self.runs.ended.notify_waiters();
    }
}

fn with_causes(failure: &JobFailure) -> String {
    let mut text = failure.to_string();
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
