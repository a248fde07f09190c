//! One-off work in the background: what is put in line once, tried again when it fails, and kept aside when that is in vain.
//!
//! A queued run is a run like that of a tick: it has the same lease, the same line with turns, the same context. It differs in three
//! ways. It has an id of its own, so it never overlaps with anything. When it fails for good it becomes a dead letter. And it can be
//! part of a transaction, see [`outbox`](super::outbox).

mod dead;
mod enqueue;
mod memory;
mod tables;

use chrono::{DateTime, Utc};

use super::backend::Answer;
use super::job::{JobKey, Owner};
use super::{JobCall, SchedulerError};

pub use dead::{DeadLetter, DeadLetters};
pub use enqueue::Enqueue;
pub(super) use memory::DeadInMemory;
pub(crate) use tables::QueueTables;

/// Dead letters that a tenant has at most. Of more the latest are kept.
pub(super) const MOST_DEAD: usize = 1_000;

/// How long dead letters are kept.
pub(super) const DEAD_FOR: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 60 * 60);

/// A run that is to be put in line.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    /// Told once and for good: what is put in line twice by one key is there once.
    pub(crate) key: JobKey,
    /// In which life of its owner; `None` where no life is told apart.
    pub(crate) life: Option<i64>,
    pub(crate) call: JobCall,
    pub(crate) at: DateTime<Utc>,
}

impl Queued {
    /// With a key that nothing else has: `plugin.method#32 digits`. No job has such an id.
    pub(super) fn new(
        owner: Owner,
        life: Option<i64>,
        call: JobCall,
        at: DateTime<Utc>,
    ) -> Result<Self, SchedulerError> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|source| SchedulerError::Random { source: Box::new(source) })?;
        let id = format!("{call}#{:032x}", u128::from_be_bytes(random));
        Ok(Self { key: JobKey { owner, id: id.into() }, life, call, at })
    }
}

/// Stores queued runs and dead letters.
///
/// Each operation is atomic. Owners never meet.
pub(crate) trait Queue: Send + Sync {
    /// Puts runs in line that are not there yet, of owners in the life that is told. Gives how many there are now that were not.
    fn push(&self, runs: Vec<Queued>) -> Answer<'_, u64>;

    /// The lives of owners that may have jobs.
    fn lives(&self, owners: Vec<Owner>) -> Answer<'_, Vec<(Owner, i64)>>;

    /// What failed for good, the latest first.
    fn dead_letters(&self, owner: Owner) -> Answer<'_, Vec<DeadLetter>>;

    /// Puts a dead letter in line again, as if it had never run; `false` when there is none.
    fn retry<'a>(&'a self, key: &'a JobKey) -> Answer<'a, bool>;

    /// Forgets a dead letter; `false` when there is none.
    fn discard<'a>(&'a self, key: &'a JobKey) -> Answer<'a, bool>;

    /// Gives an owner what another one has in line, and its dead letters.
    fn hand_over(&self, from: Owner, to: Owner) -> Answer<'_, ()>;

    /// Notes that the tenant's own database may hold work that is not in line yet.
    fn mark<'a>(&'a self, tenant: &'a str) -> Answer<'a, ()>;

    /// Takes the note back.
    fn unmark<'a>(&'a self, tenant: &'a str) -> Answer<'a, ()>;

    /// All that are noted.
    fn marked(&self) -> Answer<'_, Vec<String>>;
}
