//! The runs that wait and those that are under way.

mod line;
mod queued;
mod supervise;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, sleep_until, timeout_at};

use self::line::Line;
use super::claims::ClaimedRun;
use super::clock::Clock;
use super::history::{History, RunInfo};
use super::job::{JobEntry, JobKey, Owner, Rules};
use super::lease::Lease;
use super::queue::DeadInMemory;
use super::runner::{JobFailure, JobRunner};
use super::{JobCall, SchedulerSettings, figures};
use crate::tenancy::TenantId;

/// A run that is to be.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    key: JobKey,
    call: JobCall,
    tick: DateTime<Utc>,
    rules: Rules,
    /// How often it has failed.
    failures: u32,
    /// Of a run that was claimed from a store.
    lease: Option<Arc<Lease>>,
    /// It was put in line once, by itself: it is kept until it has run, and becomes a dead letter when it fails for good.
    is_queued: bool,
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
    clock: Clock,
    line: Mutex<Line>,
    /// Of jobs in memory. A store keeps its own.
    pub(super) history: History,
    ended: Notify,
    ended_so_far: AtomicU64,
    /// There are more runs for later.
    later: Arc<Notify>,
    /// Queued runs of this process that failed for good.
    pub(super) dead: DeadInMemory,
}

impl Planned {
    pub(super) fn new(entry: &JobEntry, tick: DateTime<Utc>) -> Self {
        Self {
            key: entry.key.clone(),
            call: entry.call.clone(),
            tick,
            rules: entry.rules,
            failures: 0,
            lease: None,
            is_queued: false,
        }
    }

    /// When it is tried again after this.
    fn retry_after(&self, failure: &JobFailure) -> Option<Duration> {
        if failure.is_of_the_run() { self.rules.retries.after(self.failures) } else { None }
    }

    /// How long after its tick it stands in line.
    fn delay(&self) -> Duration {
        let owner = match self.key.owner {
            Owner::Tenant(tenant) => tenant.to_string(),
            Owner::Shared | Owner::App => String::new(),
        };
        self.rules.delay(&owner, &self.key.id, self.tick.timestamp_millis())
    }
}

impl Runs {
    pub(super) fn new(settings: &SchedulerSettings, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            concurrency: settings.concurrency.max(1),
            default_tenant: settings.default_tenant,
            clock,
            line: Mutex::default(),
            history: History::new(settings.keep),
            ended: Notify::new(),
            ended_so_far: AtomicU64::new(0),
            later: Arc::default(),
            dead: DeadInMemory::default(),
        })
    }

    /// Begins to start runs. Says whether it is the first call.
    pub(super) fn start(self: &Arc<Self>, runner: Arc<dyn JobRunner>) -> bool {
        let mut line = self.line();
        if line.started.is_some() {
            return false;
        }
        line.started = Some((runner, Handle::current()));
        tokio::spawn(Self::rouse(Arc::downgrade(self), Arc::clone(&self.later)));
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

    /// Puts the runs of a tick in line, each when its time has come.
    pub(super) fn offer_all(self: &Arc<Self>, runs: impl Iterator<Item = Planned>) {
        let (now, later): (Vec<_>, Vec<_>) =
            runs.map(|run| (run.delay(), run)).partition(|(delay, _)| delay.is_zero());
        self.offer_now(now.into_iter().map(|(_, run)| run));
        if !later.is_empty() {
            self.offer_later(later);
        }
    }

    fn offer_now(self: &Arc<Self>, runs: impl IntoIterator<Item = Planned>) {
        let mut line = self.line();
        for run in runs {
            let (key, tick, call) = (run.key.clone(), run.tick, run.call.clone());
            if line.offer(run) == Offered::Overlapping {
                figures::left_out(&call);
                tracing::info!(job = %key, %tick, "left out a run: the earlier one is not done");
            }
        }
        self.fill(&mut line);
    }

    /// Puts runs in line after a while. Those whose job or owner goes meanwhile go with it.
    fn offer_later(&self, runs: impl IntoIterator<Item = (Duration, Planned)>) {
        let now = Instant::now();
        let mut line = self.line();
        for (after, run) in runs {
            line.keep_until(now + after, run);
        }
        drop(line);
        self.later.notify_one();
    }

    /// Tries a run again that has failed, unless its job went while it ran.
    fn retry(&self, run: Planned, after: Duration) {
        if self.line().may_come_back(&run.key) {
            self.offer_later([(after, Planned { failures: run.failures + 1, ..run })]);
        }
    }

    /// Puts runs in line whose time has come, until they are dropped.
    async fn rouse(runs: Weak<Self>, later: Arc<Notify>) {
        loop {
            let next = {
                let Some(runs) = runs.upgrade() else { return };
                let (come, next) = runs.line().take_later(Instant::now());
                runs.offer_now(come);
                next
            };
            match next {
                Some(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = later.notified() => {}
                },
                None => later.notified().await,
            }
        }
    }

    /// Puts a run in line that was claimed. The store has looked after its overlap.
    pub(super) fn take_claimed(self: &Arc<Self>, run: ClaimedRun, rules: Rules, lease: Arc<Lease>) {
        let ClaimedRun { key, call, tick, failures, is_queued, .. } = run;
        let run = Planned { key, call, tick, rules, failures, lease: Some(lease), is_queued };
        let mut line = self.line();
        if line.has_no_room_for(&run) {
            // Given back when the line is free again.
            drop(line);
            return;
        }
        line.enqueue(run);
        self.fill(&mut line);
    }

    /// Owners that have as many runs under way here as they may.
    pub(super) fn crowded(&self) -> Vec<Owner> {
        self.line().crowded.iter().copied().collect()
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

    /// Waits until a run ends that was under way when this was called, whenever it is polled. Cancellation safe.
    pub(super) fn one_ended(&self) -> Notified<'_> {
        self.ended.notified()
    }

    /// Takes the waiting runs of a job out of line and says how many there were.
    pub(super) fn cancel_job(&self, key: &JobKey) -> usize {
        self.line().cancel(key.owner, |other| other == key)
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
        self.dead.forget(owner);
        line.cancel(owner, |_| true);
        line.orphan(owner);
        // Under the lock, so that no run that ends now writes down anything after this.
        self.history.forget(owner);
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

    /// Writes down how a run in memory ended, unless its owner is gone: the next one of the name sees nothing of it.
    fn write_down(&self, key: &JobKey, run: RunInfo) {
        let line = self.line();
        if !line.is_orphan(key) {
            self.history.add(key, run);
        }
        drop(line);
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
}

impl Drop for Runs {
    fn drop(&mut self) {
        // So that the one who waits for later finds that there is no later.
        self.later.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_that_was_read_before_its_tenant_was_removed_starts_nothing() {
        let owner = Owner::Tenant(TenantId::parse("acme").unwrap());
        let key = JobKey { owner, id: "job".into() };
        let call = JobCall::new("orders", "report");
        let settings = SchedulerSettings { concurrency: 1, ..SchedulerSettings::default() };
        let (rules, tick) = (Rules::default(), DateTime::UNIX_EPOCH);
        let run = Planned { key, call, tick, rules, failures: 0, lease: None, is_queued: false };
        let runs = Runs::new(&settings, Clock::System);
        assert_eq!(runs.close_owner(owner), 0);
        assert_eq!(runs.offer(run.clone()), Offered::Closed);
        runs.open_owner(owner);
        assert_eq!(runs.offer(run.clone()), Offered::Accepted);
        assert_eq!(runs.offer(run), Offered::Overlapping);
    }
}
