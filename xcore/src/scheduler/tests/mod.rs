//! The scheduler as a whole, mostly on a clock that stands still while nothing waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;

use super::alarm::TickSource;
use super::clock::Clock;
use super::job::Misfire;
use super::memory::Memory;
use super::runner::{JobFailure, JobRun, JobRunner};
use super::{
    JobCall, Overlap, Per, Retries, Rules, RunInfo, RunOutcome, Schedule, Scheduler, SchedulerError,
    SchedulerSettings, StaticJob, TenantScheduler,
};
use crate::tenancy::{Tenant, TenantId};

mod fan_out;
mod figures;
mod handles;
mod history;
mod isolation;
mod limits;
mod load;
mod of_the_app;
mod overlap;
mod queue;
mod real_alarm;
mod retries;
mod shutdown;
mod stored;
mod suspension;
mod ticks;

/// When every test on the stopped clock begins.
const BEGIN: &str = "2030-01-01T00:00:00.250Z";

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

fn call(job: &'static str) -> JobCall {
    JobCall::new("orders", job)
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// A run as the recorder saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    tenant: String,
    id: String,
    tick: DateTime<Utc>,
}

/// Runs jobs by name: `ok`, `fails`, `panics`, `hangs`, `gated` (until a permit comes) and so on.
#[derive(Default)]
struct Recorder {
    begun: Mutex<Vec<Seen>>,
    ended: Mutex<Vec<Seen>>,
    cancelled: Arc<Mutex<usize>>,
    most_at_once: Mutex<(usize, usize)>,
    gate: Gate,
    /// How many runs of `two_at_once` are under way, and how many came to their end.
    two: Mutex<(usize, usize)>,
}

struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

/// Counts runs that were dropped before their end.
struct CountsDrop(Arc<Mutex<usize>>, bool);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += usize::from(!self.1);
    }
}

struct Runner(Arc<Recorder>);

impl JobRunner for Runner {
    fn run(&self, run: JobRun) -> BoxFuture<'static, Result<(), JobFailure>> {
        let recorder = Arc::clone(&self.0);
        let seen = Seen {
            tenant: run.tenant.map_or_else(|| "the app".to_owned(), |tenant| tenant.to_string()),
            id: run.id.clone(),
            tick: run.tick,
        };
        recorder.begun.lock().unwrap().push(seen.clone());
        assert_ne!(run.call.job, "panics_at_once", "this job panics before it gives a future");
        async move {
            let mut dropped = CountsDrop(Arc::clone(&recorder.cancelled), false);
            recorder.at_once(1);
            let outcome = match &*run.call.job {
                "fails" => Err(JobFailure::Failed { source: "it failed".into() }),
                "panics" => panic!("this job panics"),
                // After a while, unless the gate is open.
                "suspended" => {
                    tokio::time::sleep(seconds(5)).await;
                    recorder.gate.0.try_acquire().map(drop).map_err(|_| JobFailure::Suspended)
                }
                "hangs" => std::future::pending().await,
                "gated" => {
                    recorder.gate.0.acquire().await.unwrap().forget();
                    Ok(())
                }
                // As the app does it for a tenant whose plan allows two.
                "two_at_once" => {
                    let is_free = {
                        let mut two = recorder.two.lock().unwrap();
                        let is_free = two.0 < 2;
                        two.0 += usize::from(is_free);
                        is_free
                    };
                    if is_free {
                        tokio::time::sleep(seconds(5)).await;
                        let mut two = recorder.two.lock().unwrap();
                        *two = (two.0 - 1, two.1 + 1);
                        Ok(())
                    } else {
                        Err(JobFailure::Crowded { most: 2 })
                    }
                }
                "slow" => {
                    tokio::time::sleep(seconds(5)).await;
                    Ok(())
                }
                "yields" => {
                    tokio::task::yield_now().await;
                    Ok(())
                }
                _ => Ok(()),
            };
            recorder.at_once(-1);
            dropped.1 = true;
            recorder.ended.lock().unwrap().push(seen);
            outcome
        }
        .boxed()
    }
}

impl Recorder {
    fn at_once(&self, change: isize) {
        let mut at_once = self.most_at_once.lock().unwrap();
        at_once.0 = at_once.0.checked_add_signed(change).unwrap();
        at_once.1 = at_once.1.max(at_once.0);
    }

    fn begun(&self) -> Vec<Seen> {
        self.begun.lock().unwrap().clone()
    }

    fn ended(&self) -> Vec<Seen> {
        self.ended.lock().unwrap().clone()
    }

    /// What began, as `tenant:id@time`.
    fn lines(&self) -> Vec<String> {
        self.begun()
            .iter()
            .map(|seen| format!("{}:{}@{}", seen.tenant, seen.id, seen.tick.format("%H:%M:%S%.f")))
            .collect()
    }

    /// How many runs each `tenant:id` had.
    fn counts(&self) -> BTreeMap<String, usize> {
        self.begun().into_iter().fold(BTreeMap::new(), |mut counts, seen| {
            *counts.entry(format!("{}:{}", seen.tenant, seen.id)).or_default() += 1;
            counts
        })
    }
}

/// An alarm on tokio's timer, which tests can stop. `deaf` never rings.
struct TimerAlarm {
    clock: Clock,
    rang: Arc<Notify>,
    armed: Mutex<Option<AbortHandle>>,
    deaf: bool,
}

impl TickSource for TimerAlarm {
    fn arm(&self, at: DateTime<Utc>) -> BoxFuture<'_, Result<(), SchedulerError>> {
        if let Some(earlier) = self.armed.lock().unwrap().take() {
            earlier.abort();
        }
        if !self.deaf {
            let wait = (at - self.clock.now()).to_std().unwrap_or_default();
            let rang = Arc::clone(&self.rang);
            let task = tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                rang.notify_one();
            });
            *self.armed.lock().unwrap() = Some(task.abort_handle());
        }
        std::future::ready(Ok(())).boxed()
    }

    fn rung(&self) -> BoxFuture<'_, ()> {
        self.rang.notified().boxed()
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        if let Some(armed) = self.armed.lock().unwrap().take() {
            armed.abort();
        }
        std::future::ready(()).boxed()
    }
}

/// A scheduler on the stopped clock, with its recorder.
struct Bench {
    scheduler: Scheduler,
    seen: Arc<Recorder>,
    clock: Clock,
}

impl Bench {
    /// Not started, with all jobs known and none declared to run by itself.
    fn new(settings: SchedulerSettings) -> Self {
        Self::with_alarm(settings, false)
    }

    fn with_alarm(settings: SchedulerSettings, deaf: bool) -> Self {
        let clock = Clock::tokio(time(BEGIN));
        let alarm = TimerAlarm { clock, rang: Arc::default(), armed: Mutex::default(), deaf };
        let scheduler = Scheduler::on(Arc::new(Memory::default()), Arc::new(alarm), clock, settings).unwrap();
        let bench = Self { scheduler, seen: Arc::default(), clock };
        bench.declare("skips", None, Overlap::Skip, None);
        let jobs = [
            "ok",
            "fails",
            "panics",
            "panics_at_once",
            "suspended",
            "hangs",
            "gated",
            "slow",
            "yields",
            "two_at_once",
        ];
        for job in jobs {
            bench.declare(job, None, Overlap::Skip, None);
        }
        bench
    }

    async fn started(settings: SchedulerSettings) -> Self {
        let bench = Self::new(settings);
        bench.start().await;
        bench
    }

    async fn start(&self) {
        self.scheduler.start(Arc::new(Runner(Arc::clone(&self.seen)))).await.unwrap();
    }

    fn declare(
        &self,
        job: &'static str,
        schedule: Option<Schedule>,
        overlap: Overlap,
        timeout: Option<Duration>,
    ) {
        let rules = Rules { overlap, timeout, ..Rules::default() };
        self.scheduler.register(StaticJob { plugin: "orders", job, schedule, rules });
    }

    fn tenant(&self, text: &str) -> TenantScheduler {
        self.scheduler.tenant(&Tenant::admit(id(text), 0))
    }

    /// Lets the clock go on until an instant, with everything that happens before it.
    async fn until(&self, text: &str) {
        let wait = time(text) - self.clock.now();
        tokio::time::sleep(wait.to_std().unwrap()).await;
        settle().await;
    }
}

/// Lets everything run that can, without the clock going on.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Waits for a claim in real time. The deadline is far beyond what is needed.
async fn eventually(claim: &str, holds: impl AsyncFn() -> bool) {
    let deadline = std::time::Instant::now() + seconds(30);
    while !holds().await {
        assert!(std::time::Instant::now() < deadline, "not in time: {claim}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
