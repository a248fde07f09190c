//! Locks among the tasks of this process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::cache::lock::{Grant, Owner};
use crate::cache::space::Key;

/// The locks that are held, and some that have ended.
#[derive(Default)]
pub(super) struct Locks(Mutex<Held>);

#[derive(Default)]
struct Held {
    by_name: HashMap<(Box<str>, Box<str>), Holder>,
    /// The last fencing token of all locks.
    fence: u64,
    /// Beyond so many locks those that have ended are taken away.
    tidy_at: usize,
}

struct Holder {
    owner: Owner,
    until: Option<Instant>,
}

impl Holder {
    /// How long it has left; `None` when it has ended.
    fn left(&self, now: Instant) -> Option<Duration> {
        match self.until {
            None => Some(Duration::MAX),
            Some(until) => until.checked_duration_since(now).filter(|left| !left.is_zero()),
        }
    }
}

impl Locks {
    pub(super) fn acquire(&self, key: Key<'_>, owner: &Owner, ttl: Duration) -> Grant {
        let mut held = self.held();
        let now = Instant::now();
        if held.by_name.len() > held.tidy_at {
            held.by_name.retain(|_, holder| holder.left(now).is_some());
            held.tidy_at = held.by_name.len() * 2 + 64;
        }
        let name = (key.space.into(), key.name.into());
        if let Some(left) = held.by_name.get(&name).and_then(|holder| holder.left(now)) {
            return Grant::Taken(left);
        }
        // By the clock, so that it also grows from one start of the process to the next.
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        held.fence = (held.fence + 1).max(u64::try_from(clock).unwrap_or(u64::MAX));
        held.by_name.insert(name, Holder { owner: owner.clone(), until: now.checked_add(ttl) });
        Grant::Held(held.fence)
    }

    pub(super) fn extend(&self, key: Key<'_>, owner: &Owner, ttl: Duration) -> bool {
        let now = Instant::now();
        match self.held().by_name.get_mut(&(key.space.into(), key.name.into())) {
            Some(holder) if holder.owner == *owner && holder.left(now).is_some() => {
                holder.until = now.checked_add(ttl);
                true
            }
            _ => false,
        }
    }

    pub(super) fn release(&self, key: Key<'_>, owner: &Owner) -> bool {
        let mut held = self.held();
        let name = (key.space.into(), key.name.into());
        let is_own = held
            .by_name
            .get(&name)
            .is_some_and(|holder| holder.owner == *owner && holder.left(Instant::now()).is_some());
        if is_own {
            held.by_name.remove(&name);
        }
        is_own
    }

    pub(super) fn forget(&self, space: &str) {
        self.held().by_name.retain(|(of, _), _| **of != *space);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
