//! How runs ended.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::job::{JobKey, Owner};
use crate::tenancy::TenantId;

/// How long runs that have ended are remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// How long at most.
    pub(crate) age: Duration,
    /// How many of a job at most.
    pub(crate) runs: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 24 * 60 * 60), runs: 100 }
    }
}

impl Keep {
    /// What ended before this is forgotten.
    fn since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let age = TimeDelta::from_std(self.age).ok();
        age.and_then(|age| now.checked_sub_signed(age)).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

/// A run that has ended, as [`TenantScheduler::history`](super::TenantScheduler::history) shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunInfo {
    /// The tenant whose job it was; `None` with isolation off.
    pub tenant: Option<TenantId>,
    /// The id of the job within the tenant, without a prefix.
    pub job: String,
    /// The instant for which it ran.
    pub tick: DateTime<Utc>,
    /// When it began, the last time that it was tried; `None` when it never did.
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// How often it had failed before it was tried the last time.
    pub failures: u32,
    /// What was said of it when it failed, up to 2,000 characters.
    pub error: Option<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunOutcome {
    /// The method came to its end.
    Done,
    /// The method returned an error.
    Failed,
    /// The method panicked.
    Panicked,
    /// The method took longer than it may.
    TimedOut,
    /// It could not be begun: its tenant is not there, or the program has no such method.
    Refused,
    /// It was lost with its process too often, or its job was removed meanwhile.
    Lost,
    /// A newer version of the program wrote something that this one does not know.
    Unknown,
}

impl RunOutcome {
    /// As it is stored and told.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn read(text: &str) -> Self {
        let known = [Self::Done, Self::Failed, Self::Panicked, Self::TimedOut, Self::Refused, Self::Lost];
        known.into_iter().find(|outcome| outcome.as_str() == text).unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much of an error is kept, in characters.
pub(super) const LONGEST_ERROR: usize = 2_000;

/// Most runs of one owner that are kept in memory, however many jobs it has.
const MOST_OF_OWNER: usize = 1_000;

/// Most runs that are kept in memory: one takes about 200 bytes.
const MOST: usize = 50_000;

/// How runs ended, where jobs are in memory.
#[derive(Debug)]
pub(super) struct History {
    keep: Keep,
    runs: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The latest last.
    by_owner: HashMap<Owner, VecDeque<RunInfo>>,
    /// Whose turn it is to forget one, the next first. An owner stands here at least as often as it has runs.
    order: VecDeque<Owner>,
}

impl History {
    pub(super) fn new(keep: Keep) -> Self {
        Self { keep, runs: Mutex::default() }
    }

    /// Writes down a run that has ended.
    pub(super) fn add(&self, key: &JobKey, run: RunInfo) {
        let most = usize::try_from(self.keep.runs).unwrap_or(usize::MAX);
        let since = self.keep.since(run.ended);
        let mut kept = self.kept();
        let runs = kept.by_owner.entry(key.owner).or_default();
        while runs.front().is_some_and(|first| first.ended < since) || runs.len() >= MOST_OF_OWNER {
            runs.pop_front();
        }
        if runs.iter().filter(|other| other.job == run.job).count() >= most
            && let Some(first) = runs.iter().position(|other| other.job == run.job)
        {
            runs.remove(first);
        }
        runs.push_back(run);
        kept.order.push_back(key.owner);
        while kept.order.len() > MOST {
            let Some(owner) = kept.order.pop_front() else { break };
            if let Some(runs) = kept.by_owner.get_mut(&owner) {
                runs.pop_front();
                if runs.is_empty() {
                    kept.by_owner.remove(&owner);
                }
            }
        }
    }

    /// The runs of a job, the latest first.
    pub(super) fn of(&self, key: &JobKey, now: DateTime<Utc>) -> Vec<RunInfo> {
        let since = self.keep.since(now);
        let kept = self.kept();
        let runs = kept.by_owner.get(&key.owner).into_iter().flatten().rev();
        runs.filter(|run| *run.job == *key.id && run.ended >= since).cloned().collect()
    }

    /// Forgets an owner that is gone: the next one of its name has nothing of it.
    pub(super) fn forget(&self, owner: Owner) {
        let mut kept = self.kept();
        kept.by_owner.remove(&owner);
        kept.order.retain(|other| *other != owner);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str, job: &str) -> JobKey {
        JobKey { owner: Owner::Tenant(TenantId::parse(tenant).unwrap()), id: job.into() }
    }

    fn time(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn add(history: &History, tenant: &str, job: &str, second: i64) {
        let run = RunInfo {
            tenant: None,
            job: job.to_owned(),
            tick: time(second),
            started: Some(time(second)),
            ended: time(second),
            outcome: RunOutcome::Done,
            failures: 0,
            error: None,
        };
        history.add(&key(tenant, job), run);
    }

    fn ticks(history: &History, tenant: &str, job: &str, now: i64) -> Vec<i64> {
        history.of(&key(tenant, job), time(now)).iter().map(|run| run.tick.timestamp()).collect()
    }

    #[test]
    fn so_many_runs_of_a_job_are_kept_and_for_so_long() {
        let history = History::new(Keep { age: Duration::from_secs(100), runs: 3 });
        for second in 0..10 {
            add(&history, "acme", "often", second);
            add(&history, "globex", "often", second + 50);
        }
        add(&history, "acme", "rare", 0);
        assert_eq!(ticks(&history, "acme", "often", 10), [9, 8, 7]);
        assert_eq!(ticks(&history, "acme", "rare", 10), [0]);
        assert_eq!(ticks(&history, "acme", "often", 108), [9, 8]);
        assert!(ticks(&history, "acme", "rare", 108).is_empty());
        assert_eq!(ticks(&history, "globex", "often", 108), [59, 58, 57]);
        history.forget(key("acme", "often").owner);
        assert!(ticks(&history, "acme", "often", 10).is_empty());
        assert_eq!(ticks(&history, "globex", "often", 108).len(), 3);
    }

    #[test]
    fn what_one_owner_does_pushes_out_nothing_of_the_others_for_long() {
        let history = History::new(Keep { age: Duration::from_secs(1_000_000), runs: 100 });
        add(&history, "modest", "job", 0);
        for second in 0..10_000 {
            add(&history, "greedy", &format!("job{}", second % 500), second);
        }
        assert_eq!(ticks(&history, "modest", "job", 10_000), [0]);
        let kept = history.kept();
        assert!(kept.by_owner.values().map(VecDeque::len).sum::<usize>() <= MOST_OF_OWNER + 1);
        drop(kept);
        for second in 0..60_000 {
            add(&history, &format!("t{}", second % 2_000), "job", second);
        }
        let kept = history.kept();
        assert!(kept.by_owner.values().map(VecDeque::len).sum::<usize>() <= MOST && kept.order.len() <= MOST);
    }

    #[test]
    fn an_outcome_is_read_as_it_was_written() {
        for outcome in [RunOutcome::Done, RunOutcome::Failed, RunOutcome::TimedOut, RunOutcome::Lost] {
            assert_eq!(RunOutcome::read(outcome.as_str()), outcome);
        }
        assert_eq!(RunOutcome::read("folded"), RunOutcome::Unknown);
    }
}
