//! Dead letters of a scheduler whose jobs are in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Utc;

use super::{DeadLetter, MOST_DEAD};
use crate::scheduler::job::{JobKey, Owner};
use crate::scheduler::runs::Planned;

/// The latest dead letters of each owner, the latest first, and how to run each again.
#[derive(Default)]
pub(in crate::scheduler) struct DeadInMemory(Mutex<HashMap<Owner, VecDeque<(DeadLetter, Planned)>>>);

impl DeadInMemory {
    /// Keeps a run that failed for good.
    pub(in crate::scheduler) fn keep(&self, run: Planned, outcome: &str, error: String) {
        let letter = DeadLetter {
            id: run.key().id.to_string(),
            job: run.call().clone(),
            enqueued_at: run.tick(),
            failed_at: Utc::now(),
            outcome: outcome.to_owned(),
            error: Some(error),
        };
        let mut all = self.all();
        let of = all.entry(run.key().owner).or_default();
        of.truncate(MOST_DEAD - 1);
        of.push_front((letter, run));
    }

    pub(super) fn list(&self, owner: Owner) -> Vec<DeadLetter> {
        self.all().get(&owner).into_iter().flatten().map(|(letter, _)| letter.clone()).collect()
    }

    pub(super) fn take(&self, key: &JobKey) -> Option<Planned> {
        let mut all = self.all();
        let of = all.get_mut(&key.owner)?;
        let at = of.iter().position(|(letter, _)| letter.id == *key.id)?;
        of.remove(at).map(|(_, run)| run)
    }

    pub(in crate::scheduler) fn hand_over(&self, from: Owner, to: Owner) {
        let mut all = self.all();
        if let Some(letters) = all.remove(&from) {
            let letters = letters.into_iter().map(|(letter, run)| (letter, run.of(to)));
            all.entry(to).or_default().extend(letters);
        }
    }

    /// The owner is gone.
    pub(in crate::scheduler) fn forget(&self, owner: Owner) {
        self.all().remove(&owner);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Owner, VecDeque<(DeadLetter, Planned)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
