//! Runs that were put in line once, where this process keeps the line.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Offered, Planned, Runs};
use crate::scheduler::job::{JobKey, Owner, Rules};
use crate::scheduler::queue::Queued;
use crate::scheduler::{JobCall, SchedulerError};

/// Runs of one owner that may wait when one more is queued.
const MOST: usize = 100_000;

/// How long a run rests that could not be begun.
const REST: Duration = Duration::from_millis(500);

impl Planned {
    /// A run that was put in line once. Each has an id of its own, so none overlaps.
    pub(in crate::scheduler) fn queued(run: Queued, rules: Rules) -> Self {
        let Queued { key, call, at, .. } = run;
        Self { key, call, tick: at, rules, failures: 0, lease: None, is_queued: true }
    }

    /// The same of another owner.
    pub(in crate::scheduler) fn of(self, owner: Owner) -> Self {
        Self { key: JobKey { owner, id: self.key.id }, ..self }
    }

    /// What `#[job]` would call a job of its method.
    pub(super) fn method_key(&self) -> JobKey {
        JobKey { owner: self.key.owner, id: self.call.to_string().into() }
    }

    pub(in crate::scheduler) fn key(&self) -> &JobKey {
        &self.key
    }

    pub(in crate::scheduler) fn call(&self) -> &JobCall {
        &self.call
    }

    pub(in crate::scheduler) fn tick(&self) -> DateTime<Utc> {
        self.tick
    }
}

impl Runs {
    /// Puts a queued run in line.
    ///
    /// # Errors
    /// When the owner has too many there, or is gone, or the scheduler stops.
    pub(in crate::scheduler) fn offer_queued(self: &Arc<Self>, run: Planned) -> Result<(), SchedulerError> {
        let mut line = self.line();
        let owner = run.key.owner;
        if line.waiting.get(&owner).is_some_and(|waiting| waiting.len() >= MOST) {
            return Err(SchedulerError::LineFull { most: MOST });
        }
        let offered = line.offer(run);
        self.fill(&mut line);
        match (offered, owner) {
            (Offered::Accepted | Offered::Overlapping, _) => Ok(()),
            (Offered::Closed, Owner::Tenant(tenant)) if !line.stopping => {
                Err(SchedulerError::TenantDeleted { tenant })
            }
            (Offered::Closed, _) => Err(SchedulerError::Stopping),
        }
    }

    /// Tries a queued run again that could not be begun: its tenant is not there yet, or cannot be asked for.
    pub(super) fn try_later(&self, run: Planned) {
        if self.line().may_come_back(&run.key) {
            self.offer_later([(REST, run)]);
        }
    }

    /// Keeps a run that failed for good.
    pub(super) fn bury(&self, run: Planned, outcome: &str, error: String) {
        let line = self.line();
        if !line.closed.contains(&run.key.owner) {
            self.dead.keep(Planned { failures: 0, ..run }, outcome, error);
        }
    }

    /// Gives an owner what another one has put in line once, and its dead letters.
    pub(in crate::scheduler) fn hand_over(self: &Arc<Self>, from: Owner, to: Owner) {
        let mut line = self.line();
        self.dead.hand_over(from, to);
        for run in line.take_queued(from) {
            line.enqueue(run.of(to));
        }
        self.fill(&mut line);
    }
}
