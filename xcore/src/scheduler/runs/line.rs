//! The line that runs stand in.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Offered, Planned};
use crate::scheduler::Overlap;
use crate::scheduler::job::{JobKey, Owner};
use crate::scheduler::runner::JobRunner;

/// Runs of one job that may wait with [`Overlap::Allow`].
const MOST_WAITING: u32 = 64;

/// The runs that wait, those under way, and whose turn it is.
#[derive(Default)]
pub(super) struct Line {
    /// Set by `start`; until then runs wait.
    pub(super) started: Option<(Arc<dyn JobRunner>, Handle)>,
    pub(super) stopping: bool,
    /// Owners that are gone. A tick that was read before may still offer runs of them.
    pub(super) closed: HashSet<Owner>,
    /// Owners whose waiting runs go on waiting. None of them has a turn.
    pub(super) resting: HashSet<Owner>,
    /// Owners with as many runs under way as their plan allows. None of them has a turn until one of those ends.
    pub(super) crowded: HashSet<Owner>,
    /// Owners that have waiting runs, each once, the next in turn first.
    pub(super) turns: VecDeque<Owner>,
    pub(super) waiting: HashMap<Owner, VecDeque<Planned>>,
    /// Runs that come into line later, by when they do. They are found here when their job or their owner goes.
    pub(super) later: BTreeMap<(Instant, u64), Planned>,
    /// Jobs that have a run which waits or is under way.
    pub(super) jobs: HashMap<JobKey, Activity>,
    pub(super) running: HashMap<u64, AbortHandle>,
    pub(super) last_number: u64,
}

#[derive(Default)]
pub(super) struct Activity {
    waiting: u32,
    running: u32,
    /// The job went while a run of it was under way: that one is not tried again, also when there is a new job of the name by then.
    is_gone: bool,
    /// The same of its owner.
    is_orphan: bool,
    /// With [`Overlap::Queue`]: the run that begins when the one under way is done.
    queued: Option<Planned>,
}

impl Line {
    pub(super) fn offer(&mut self, run: Planned) -> Offered {
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

    /// Whether a run that is under way may stand in line once more.
    pub(super) fn may_come_back(&self, key: &JobKey) -> bool {
        let is_gone = self.jobs.get(key).is_some_and(|job| job.is_gone);
        !self.stopping && !self.closed.contains(&key.owner) && !is_gone
    }

    /// The owner goes, and runs of it that are under way belong to nobody.
    pub(super) fn orphan(&mut self, owner: Owner) {
        self.jobs.iter_mut().filter(|(key, _)| key.owner == owner).for_each(|(_, job)| job.is_orphan = true);
    }

    /// Whether the owner of a run that is under way has gone.
    pub(super) fn is_orphan(&self, key: &JobKey) -> bool {
        self.closed.contains(&key.owner) || self.jobs.get(key).is_some_and(|job| job.is_orphan)
    }

    /// Keeps a run that comes into line at an instant.
    pub(super) fn keep_until(&mut self, at: Instant, run: Planned) {
        let number = self.last_number;
        self.last_number += 1;
        self.later.insert((at, number), run);
    }

    /// Takes out the runs whose instant has come, and gives the next one.
    pub(super) fn take_later(&mut self, now: Instant) -> (Vec<Planned>, Option<Instant>) {
        let mut come = Vec::new();
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now) {
            come.push(first.remove());
        }
        (come, self.later.first_key_value().map(|((at, _), _)| *at))
    }

    pub(super) fn enqueue(&mut self, run: Planned) {
        let owner = run.key.owner;
        self.jobs.entry(run.key.clone()).or_default().waiting += 1;
        let waiting = self.waiting.entry(owner).or_default();
        if waiting.is_empty() && !self.resting.contains(&owner) && !self.crowded.contains(&owner) {
            self.turns.push_back(owner);
        }
        waiting.push_back(run);
    }

    /// Keeps a run that was begun a moment before its owner was found to rest; `false` when the owner does not.
    pub(super) fn put_back(&mut self, run: Planned) -> bool {
        let owner = run.key.owner;
        if !self.may_come_back(&run.key) || !self.resting.contains(&owner) {
            return false;
        }
        self.jobs.entry(run.key.clone()).or_default().waiting += 1;
        self.waiting.entry(owner).or_default().push_front(run);
        true
    }

    /// Keeps a run that was begun when its owner had as many under way as it may, until one of those ends.
    pub(super) fn crowd(&mut self, run: Planned) {
        let owner = run.key.owner;
        let may_come_back = self.may_come_back(&run.key);
        let job = self.jobs.entry(run.key.clone()).or_default();
        job.running = job.running.saturating_sub(1);
        if !may_come_back {
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

    /// Notes that an owner has as many runs under way as it may, of which this one is none: it was given back to the store.
    pub(super) fn crowd_out(&mut self, key: &JobKey) {
        self.end(key);
        if self.under_way(key.owner) == 0 {
            return;
        }
        self.crowded.insert(key.owner);
        self.turns.retain(|other| *other != key.owner);
        // Those that were claimed with it are given back, too.
        if let Some(waiting) = self.waiting.get(&key.owner) {
            let claimed = waiting.iter().filter(|run| run.is_queued && run.lease.is_some());
            let keys: HashSet<JobKey> = claimed.map(|run| run.key.clone()).collect();
            self.cancel(key.owner, |key| keys.contains(key));
        }
    }

    /// Whether a run that was claimed would only wait here and take a place of others.
    pub(super) fn has_no_room_for(&self, run: &Planned) -> bool {
        self.stopping
            || self.closed.contains(&run.key.owner)
            || (run.is_queued && self.crowded.contains(&run.key.owner))
    }

    /// A run of the owner has ended.
    pub(super) fn uncrowd(&mut self, owner: Owner) {
        if self.crowded.remove(&owner) && self.waiting.contains_key(&owner) && !self.resting.contains(&owner)
        {
            self.turns.push_back(owner);
        }
    }

    /// The next run of the owner whose turn it is. The owner goes to the end of the line.
    pub(super) fn next(&mut self) -> Option<Planned> {
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

    pub(super) fn under_way(&self, owner: Owner) -> usize {
        self.jobs.iter().filter(|(key, _)| key.owner == owner).map(|(_, job)| job.running as usize).sum()
    }

    pub(super) fn end(&mut self, key: &JobKey) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        job.running = job.running.saturating_sub(1);
        let queued = job.queued.take();
        if let Some(queued) = queued {
            self.enqueue(queued);
        } else if job.running + job.waiting == 0 {
            self.jobs.remove(key);
        }
    }

    pub(super) fn cancel(&mut self, owner: Owner, is_meant: impl Fn(&JobKey) -> bool) -> usize {
        let before = self.later.len();
        self.later.retain(|_, run| run.key.owner != owner || !is_meant(&run.key));
        let mut cancelled = before - self.later.len();
        if let Some(waiting) = self.waiting.get_mut(&owner) {
            let before = waiting.len();
            waiting.retain(|run| !is_meant(&run.key));
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
            cancelled += usize::from(job.queued.take_if(|run| is_meant(&run.key)).is_some());
            job.is_gone |= is_meant(key);
            job.running + job.waiting > 0
        });
        cancelled
    }

    /// Takes out what an owner has put in line once and has not begun.
    pub(super) fn take_queued(&mut self, owner: Owner) -> Vec<Planned> {
        let of_owner = |run: &Planned| run.key.owner == owner && run.is_queued;
        let mut taken: Vec<Planned> = self.waiting.get(&owner).into_iter().flatten().cloned().collect();
        taken.extend(self.later.values().cloned());
        taken.retain(of_owner);
        let keys: HashSet<&JobKey> = taken.iter().map(|run| &run.key).collect();
        self.cancel(owner, |key| keys.contains(key));
        taken
    }

    pub(super) fn stop(&mut self) -> usize {
        self.stopping = true;
        self.turns.clear();
        let later = std::mem::take(&mut self.later).len();
        let queued = self.jobs.values_mut().filter_map(|job| job.queued.take()).count();
        self.waiting.drain().map(|(_, runs)| runs.len()).sum::<usize>() + queued + later
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::scheduler::{JobCall, Rules};
    use crate::tenancy::TenantId;

    /// Those that are one too many find it out one after the other, and the ones that they would wait for may have ended by then.
    #[test]
    fn an_owner_whose_runs_have_all_ended_meanwhile_has_its_turn_once() {
        let owner = Owner::Tenant(TenantId::parse("acme").unwrap());
        let run = |id: &str| Planned {
            key: JobKey { owner, id: id.into() },
            call: JobCall::new("orders", "report"),
            tick: DateTime::UNIX_EPOCH,
            rules: Rules::default(),
            failures: 0,
            lease: None,
            is_queued: false,
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
