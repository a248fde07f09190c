//! Runs that several processes claim from one store.
//!
//! A tick becomes a run in the store, once. A process claims runs, each with a lease that it renews. When it dies, the lease ends
//! and the run is there for another one. What it reports after that is refused: the number of the claim is checked in the
//! statement that writes the outcome.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::JobCall;
use super::backend::Answer;
use super::history::{RunInfo, RunOutcome};
use super::job::{JobKey, Owner};

/// Stores runs, and gives each to one process at a time.
///
/// Each operation is one statement, or several of which any may be the last: a process that is stopped or killed
/// holds nothing in the store but its leases.
pub(crate) trait Claims: Send + Sync {
    /// As [`claim_except`](Self::claim_except), of all owners.
    #[cfg(test)]
    fn claim<'a>(&'a self, holder: &'a Holder, calls: &'a [JobCall], wanted: usize) -> Answer<'a, Round> {
        self.claim_except(holder, calls, wanted, Vec::new())
    }

    /// Makes runs of the ticks that have come and claims up to `wanted` runs of `calls`, the owners taking turns. Nothing of what the
    /// crowded owners have queued: it would only wait with this process.
    fn claim_except<'a>(
        &'a self,
        holder: &'a Holder,
        calls: &'a [JobCall],
        wanted: usize,
        crowded: Vec<Owner>,
    ) -> Answer<'a, Round>;

    /// Renews leases, and gives those that were lost.
    fn renew<'a>(&'a self, holder: &'a Holder, claims: &'a [ClaimId]) -> Answer<'a, Vec<ClaimId>>;

    /// Writes down how runs ended, and gives those that were another's by then.
    fn report<'a>(&'a self, reports: &'a [Report]) -> Answer<'a, Vec<ClaimId>>;

    /// Makes a run of a job for now, unless its rule about overlapping forbids it. `None` when there is no such job.
    fn run_now<'a>(&'a self, key: &'a JobKey) -> Answer<'a, Option<bool>>;

    /// The runs of a job that have ended, the latest tick first.
    fn history<'a>(&'a self, key: &'a JobKey) -> Answer<'a, Vec<RunInfo>>;

    /// Forgets runs that ended long ago.
    fn purge(&self) -> Answer<'_, ()>;
}

/// A process that claims runs.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    /// No other process has it.
    pub(crate) name: String,
    /// How long a claim holds that is not renewed.
    pub(crate) lease: Duration,
}

/// One claim of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClaimId {
    /// The number of the run.
    pub(crate) run: i64,
    /// Which claim of it this is. A later claim has a higher number.
    pub(crate) token: i64,
}

/// A run that was claimed.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedRun {
    pub(crate) id: ClaimId,
    pub(crate) key: JobKey,
    pub(crate) call: JobCall,
    pub(crate) tick: DateTime<Utc>,
    /// It was put in line once, by itself.
    pub(crate) is_queued: bool,
    /// How often it has failed.
    pub(crate) failures: u32,
}

/// What one look at the store gave.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) runs: Vec<ClaimedRun>,
    /// How long until there is something to do that is known of now; `None` when nothing is.
    pub(crate) idle_for: Option<Duration>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) id: ClaimId,
    pub(crate) ending: Ending,
}

/// The end of a run, or of a process's part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It came to its end.
    Done,
    /// It failed.
    Failed {
        /// How.
        outcome: RunOutcome,
        /// What was said of it.
        error: String,
        /// When it is tried again; `None` when this was the end.
        retry_after: Option<Duration>,
    },
    /// It did not come to its end here. Another process may have it.
    Released,
}
