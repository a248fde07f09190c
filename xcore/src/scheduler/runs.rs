//! The runs that wait and those that are under way.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::claims::{ClaimedRun, Ending};
use super::job::{JobEntry, JobKey, Owner, Rules};
use super::lease::Lease;
use super::runner::{JobFailure, JobRun, JobRunner};
use super::{JobCall, Overlap};
use crate::tenancy::TenantId;

/// Runs of one job that may wait with [`Overlap::Allow`].
const MOST_WAITING: u32 = 64;

/// A run that outlives its timeout by this is dropped here, should the runner fail to stop it.
const SLACK: Duration = Duration::from_secs(1);

/// A run that is to be.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    key: JobKey,
    call: JobCall,
    tick: DateTime<Utc>,
    rules: Rules,
    /// Of a run that was claimed from a store.
    lease: Option<Arc<Lease>>,
}

/// What became of a run that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// It runs or waits for its turn.
    Accepted,
    /// The earlier run is not done and the job allows no further one.
    Overlapping,
    /// The scheduler is stopping, or the owner is gone.
    Closed,
}

/// Starts runs, so many at once, the owners taking turns.
pub(super) struct Runs {
    concurrency: usize,
    /// As whom shared jobs run.
    default_tenant: Option<TenantId>,
    line: Mutex<Line>,
    ended: Notify,
    ended_so_far: AtomicU64,
}

#[derive(Default)]
struct Line {
    /// Set by `start`; until then runs wait.
    started: Option<(Arc<dyn JobRunner>, Handle)>,
    stopping: bool,
    /// Owners that are gone. A tick that was read before may still offer runs of them.
    closed: HashSet<Owner>,
    /// Owners whose waiting runs go on waiting. None of them has a turn.
    resting: HashSet<Owner>,
    /// Owners with as many runs under way as their plan allows. None of them has a turn until one of those ends.
    crowded: HashSet<Owner>,
    /// Owners that have waiting runs, each once, the next in turn first.
    turns: VecDeque<Owner>,
    waiting: HashMap<Owner, VecDeque<Planned>>,
    /// Jobs that have a run which waits or is under way.
    jobs: HashMap<JobKey, Activity>,
    running: HashMap<u64, AbortHandle>,
    last_number: u64,
}

#[derive(Default)]
struct Activity {
    waiting: u32,
    running: u32,
    /// With [`Overlap::Queue`]: the run that begins when the one under way is done.
    queued: Option<Planned>,
}

impl Planned {
    pub(super) fn new(entry: &JobEntry, tick: DateTime<Utc>) -> Self {
        Self { key: entry.key.clone(), call: entry.call.clone(), tick, rules: entry.rules, lease: None }
    }
}

impl Runs {
    pub(super) fn new(concurrency: usize, default_tenant: Option<TenantId>) -> Arc<Self> {
        Arc::new(Self {
            concurrency: concurrency.max(1),
            default_tenant,
            line: Mutex::default(),
            ended: Notify::new(),
            ended_so_far: AtomicU64::new(0),
        })
    }

    /// Begins to start runs. Says whether it is the first call.
    pub(super) fn start(self: &Arc<Self>, runner: Arc<dyn JobRunner>) -> bool {
        let mut line = self.line();
        if line.started.is_some() {
            return false;
        }
        line.started = Some((runner, Handle::current()));
        self.fill(&mut line);
        true
    }

    /// Puts one run in line, unless it would overlap.
    pub(super) fn offer(self: &Arc<Self>, run: Planned) -> Offered {
        let mut line = self.line();
        let offered = line.offer(run);
        self.fill(&mut line);
        offered
    }

    /// Puts the runs of a tick in line.
    pub(super) fn offer_all(self: &Arc<Self>, runs: impl Iterator<Item = Planned>) {
        let mut line = self.line();
        for run in runs {
            let (key, tick) = (run.key.clone(), run.tick);
            if line.offer(run) == Offered::Overlapping {
                tracing::info!(job = %key, %tick, "left out a run: the earlier one is not done");
            }
        }
        self.fill(&mut line);
    }

    /// Puts a run in line that was claimed. The store has looked after its overlap.
    pub(super) fn take_claimed(self: &Arc<Self>, run: ClaimedRun, rules: Rules, lease: Arc<Lease>) {
        let mut line = self.line();
        if line.stopping || line.closed.contains(&run.key.owner) {
            // Given back when the line is free again.
            drop(line);
            return;
        }
        line.enqueue(Planned { key: run.key, call: run.call, tick: run.tick, rules, lease: Some(lease) });
        self.fill(&mut line);
    }

    /// How many runs may be under way at once.
    pub(super) fn at_once(&self) -> usize {
        self.concurrency
    }

    /// How many runs wait or are under way.
    pub(super) fn held(&self) -> usize {
        let line = self.line();
        line.running.len() + line.waiting.values().map(VecDeque::len).sum::<usize>()
    }

    /// How many runs have ended since the start.
    pub(super) fn ended_so_far(&self) -> u64 {
        self.ended_so_far.load(Ordering::Relaxed)
    }

    /// Waits until a run ends. Cancellation safe.
    pub(super) async fn one_ended(&self) {
        self.ended.notified().await;
    }

    /// Takes the waiting runs of a job out of line and says how many there were.
    pub(super) fn cancel_job(&self, key: &JobKey) -> usize {
        self.line().cancel(key.owner, |run| run.key == *key)
    }

    /// Takes the runs of an owner (again).
    pub(super) fn open_owner(&self, owner: Owner) {
        self.line().closed.remove(&owner);
    }

    /// Takes the waiting runs of an owner out of line and takes no further ones. Gives the number of those
    /// under way.
    pub(super) fn close_owner(&self, owner: Owner) -> usize {
        let mut line = self.line();
        line.closed.insert(owner);
        line.resting.remove(&owner);
        line.crowded.remove(&owner);
        line.cancel(owner, |_| true);
        line.under_way(owner)
    }

    /// Lets no run of an owner begin until it is told otherwise. Gives the number of those under way.
    pub(super) fn set_resting(self: &Arc<Self>, owner: Owner, resting: bool) -> usize {
        let mut line = self.line();
        if resting {
            line.resting.insert(owner);
            line.turns.retain(|other| *other != owner);
        } else if line.resting.remove(&owner)
            && line.waiting.contains_key(&owner)
            && !line.crowded.contains(&owner)
        {
            line.turns.push_back(owner);
            self.fill(&mut line);
        }
        line.under_way(owner)
    }

    /// Takes no further runs, waits until `grace` is over for those under way and cancels the rest. Gives
    /// the number of runs that never began and of those that were cancelled.
    pub(super) async fn stop(&self, grace: Duration) -> (usize, usize) {
        let never_begun = self.line().stop();
        let deadline = Instant::now() + grace;
        loop {
            // Registered before the look, so that an end between the two is not missed.
            let ended = self.ended.notified();
            if self.line().running.is_empty() || timeout_at(deadline, ended).await.is_err() {
                break;
            }
        }
        let left = std::mem::take(&mut self.line().running);
        for run in left.values() {
            run.abort();
        }
        (never_begun, left.len())
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts what may start.
    fn fill(self: &Arc<Self>, line: &mut Line) {
        let Some((runner, runtime)) = line.started.clone() else { return };
        while line.running.len() < self.concurrency {
            let Some(run) = line.next() else { return };
            let number = line.last_number;
            line.last_number += 1;
            let task = Arc::clone(self).supervise(number, Arc::clone(&runner), run);
            // The task cannot end before it is noted here: its end takes the lock that is held.
            let task = runtime.spawn(task);
            line.running.insert(number, task.abort_handle());
        }
    }

    /// Runs one run to its end, whatever happens in it.
    async fn supervise(self: Arc<Self>, number: u64, runner: Arc<dyn JobRunner>, run: Planned) {
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
                // It waits here, and its lease is renewed.
                Err(JobFailure::Crowded { .. }) => {}
                Err(failure) => {
                    lease.end(Ending::Failed { outcome: failure.kind(), error: with_causes(failure) });
                }
            }
        }
        let failure = match outcome {
            Ok(()) => None,
            Err(JobFailure::Suspended) if self.line().put_back(planned.clone()) => None,
            Err(JobFailure::Crowded { .. }) => {
                // From here on it is not under way: its end is not what the others wait for.
                done.key = None;
                self.line().crowd(planned);
                None
            }
            Err(failure) => Some(failure),
        };
        if let Some(failure) = failure {
            tracing::error!(job = %key, %tick, error = &failure as &dyn std::error::Error, "a job failed");
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

impl Line {
    fn offer(&mut self, run: Planned) -> Offered {
        if self.stopping || self.closed.contains(&run.key.owner) {
            return Offered::Closed;
        }
        let job = self.jobs.entry(run.key.clone()).or_default();
        match run.rules.overlap {
            _ if job.waiting + job.running == 0 => self.enqueue(run),
            Overlap::Allow if job.waiting < MOST_WAITING => self.enqueue(run),
            Overlap::Queue if job.waiting == 0 && job.queued.is_none() => job.queued = Some(run),
            Overlap::Skip | Overlap::Queue | Overlap::Allow => return Offered::Overlapping,
        }
        Offered::Accepted
    }

    fn enqueue(&mut self, run: Planned) {
        let owner = run.key.owner;
        self.jobs.entry(run.key.clone()).or_default().waiting += 1;
        let waiting = self.waiting.entry(owner).or_default();
        if waiting.is_empty() && !self.resting.contains(&owner) && !self.crowded.contains(&owner) {
            self.turns.push_back(owner);
        }
        waiting.push_back(run);
    }

    /// Keeps a run that was begun a moment before its owner was found to rest; `false` when the owner does not.
    fn put_back(&mut self, run: Planned) -> bool {
        let owner = run.key.owner;
        if self.stopping || self.closed.contains(&owner) || !self.resting.contains(&owner) {
            return false;
        }
        self.jobs.entry(run.key.clone()).or_default().waiting += 1;
        self.waiting.entry(owner).or_default().push_front(run);
        true
    }

    /// Keeps a run that was begun when its owner had as many under way as it may, until one of those ends.
    fn crowd(&mut self, run: Planned) {
        let owner = run.key.owner;
        let job = self.jobs.entry(run.key.clone()).or_default();
        job.running = job.running.saturating_sub(1);
        if self.stopping || self.closed.contains(&owner) {
            if job.running + job.waiting == 0 && job.queued.is_none() {
                self.jobs.remove(&run.key);
            }
            return;
        }
        job.waiting += 1;
        self.waiting.entry(owner).or_default().push_front(run);
        self.turns.retain(|other| *other != owner);
        // Should all of them have ended meanwhile, nobody would come back for this one.
        if self.under_way(owner) > 0 {
            self.crowded.insert(owner);
            return;
        }
        self.crowded.remove(&owner);
        if !self.resting.contains(&owner) {
            self.turns.push_back(owner);
        }
    }

    /// A run of the owner has ended.
    fn uncrowd(&mut self, owner: Owner) {
        if self.crowded.remove(&owner) && self.waiting.contains_key(&owner) && !self.resting.contains(&owner)
        {
            self.turns.push_back(owner);
        }
    }

    /// The next run of the owner whose turn it is. The owner goes to the end of the line.
    fn next(&mut self) -> Option<Planned> {
        let owner = self.turns.pop_front()?;
        let waiting = self.waiting.get_mut(&owner)?;
        let run = waiting.pop_front()?;
        if waiting.is_empty() {
            self.waiting.remove(&owner);
        } else {
            self.turns.push_back(owner);
        }
        let job = self.jobs.entry(run.key.clone()).or_default();
        job.waiting = job.waiting.saturating_sub(1);
        job.running += 1;
        Some(run)
    }

    fn under_way(&self, owner: Owner) -> usize {
        self.jobs.iter().filter(|(key, _)| key.owner == owner).map(|(_, job)| job.running as usize).sum()
    }

    fn end(&mut self, key: &JobKey) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        job.running = job.running.saturating_sub(1);
        let queued = job.queued.take();
        if let Some(queued) = queued {
            self.enqueue(queued);
        } else if job.running + job.waiting == 0 {
            self.jobs.remove(key);
        }
    }

    fn cancel(&mut self, owner: Owner, is_meant: impl Fn(&Planned) -> bool) -> usize {
        let mut cancelled = 0;
        if let Some(waiting) = self.waiting.get_mut(&owner) {
            let before = waiting.len();
            waiting.retain(|run| !is_meant(run));
            cancelled += before - waiting.len();
            if waiting.is_empty() {
                self.waiting.remove(&owner);
                self.turns.retain(|other| *other != owner);
            }
        }
        let left: HashMap<_, u32> =
            self.waiting.get(&owner).into_iter().flatten().fold(HashMap::new(), |mut left, run| {
                *left.entry(run.key.clone()).or_default() += 1;
                left
            });
        self.jobs.retain(|key, job| {
            if key.owner != owner {
                return true;
            }
            job.waiting = left.get(key).copied().unwrap_or(0);
            cancelled += usize::from(job.queued.take_if(|run| is_meant(run)).is_some());
            job.running + job.waiting > 0
        });
        cancelled
    }

    fn stop(&mut self) -> usize {
        self.stopping = true;
        self.turns.clear();
        let queued = self.jobs.values_mut().filter_map(|job| job.queued.take()).count();
        self.waiting.drain().map(|(_, runs)| runs.len()).sum::<usize>() + queued
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_that_was_read_before_its_tenant_was_removed_starts_nothing() {
        let owner = Owner::Tenant(TenantId::parse("acme").unwrap());
        let key = JobKey { owner, id: "job".into() };
        let call = JobCall::new("orders", "report");
        let (rules, tick) = (Rules::default(), DateTime::UNIX_EPOCH);
        let run = Planned { key, call, tick, rules, lease: None };
        let runs = Runs::new(1, None);
        assert_eq!(runs.close_owner(owner), 0);
        assert_eq!(runs.offer(run.clone()), Offered::Closed);
        runs.open_owner(owner);
        assert_eq!(runs.offer(run.clone()), Offered::Accepted);
        assert_eq!(runs.offer(run), Offered::Overlapping);
    }

    /// Those that are one too many find it out one after the other, and the ones that they would wait for may have ended by then.
    #[test]
    fn an_owner_whose_runs_have_all_ended_meanwhile_has_its_turn_once() {
        let owner = Owner::Tenant(TenantId::parse("acme").unwrap());
        let run = |id: &str| Planned {
            key: JobKey { owner, id: id.into() },
            call: JobCall::new("orders", "report"),
            tick: DateTime::UNIX_EPOCH,
            rules: Rules::default(),
            lease: None,
        };
        let mut line = Line::default();
        for id in ["a", "b", "c", "d"] {
            assert_eq!(line.offer(run(id)), Offered::Accepted);
        }
        let [a, b, c, d] = [(); 4].map(|()| line.next().unwrap());
        for ended in [&a, &b] {
            line.end(&ended.key);
            line.uncrowd(owner);
        }
        line.crowd(c);
        assert!(line.next().is_none() && line.crowded.contains(&owner), "d is under way");
        line.crowd(d);
        assert!(line.crowded.is_empty() && line.turns == [owner]);
        let again = [line.next().unwrap(), line.next().unwrap()];
        assert!(line.next().is_none() && line.turns.is_empty());
        for run in &again {
            line.end(&run.key);
            line.uncrowd(owner);
        }
        assert!(line.turns.is_empty() && line.jobs.is_empty(), "no turn is left of one who has nothing");
    }
}
