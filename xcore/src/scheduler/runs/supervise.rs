//! One run, from its turn to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;

use super::{Planned, Runs};
use crate::scheduler::claims::Ending;
use crate::scheduler::job::{JobKey, Owner};
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
            (Owner::Tenant(tenant), _) => tenant,
            (Owner::Shared, Some(default)) => default,
            // `Scheduler` refuses to be made this way.
            (Owner::Shared, None) => return,
        };
        let limit = run.rules.timeout;
        let planned = run.clone();
        let (key, tick, lease) = (run.key, run.tick, run.lease);
        let run = JobRun { tenant, call: run.call, id: key.id.to_string(), tick, timeout: limit };
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
                // Its tenant is not there yet, or cannot be asked for.
                Err(JobFailure::Refused { .. }) if planned.is_queued => {
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
                    let (outcome, error) = (failure.kind(), with_causes(failure));
                    lease.end(Ending::Failed { outcome, error, retry_after: planned.retry_after(failure) });
                }
            }
        }
        match outcome {
            Ok(()) => {}
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
                match planned.retry_after(&failure) {
                    None => {
                        tracing::error!(job = %key, %tick, error, "a job failed");
                        if planned.is_queued && lease.is_none() {
                            self.bury(planned, failure.kind(), with_causes(&failure));
                        }
                    }
                    Some(after) => {
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
