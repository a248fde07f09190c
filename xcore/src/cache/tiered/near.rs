//! What is kept in the memory of this process, and when it may be.
//!
//! A value may be kept only if no message about its key was missed since it was read. So whoever fetches a key takes a [`Hold`] on it
//! first, and a message about the key breaks the hold: what was fetched is then given to those who waited, and not kept. There is at
//! most one unbroken hold on a key, and those who miss the key meanwhile wait for it. Otherwise of two that fetch at once the one with
//! the older value could keep it after the other one has shown the newer.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as Turn;

use crate::cache::CacheError;
use crate::cache::backend::{AtHand, CacheBackend, Fresh, Operation};
use crate::cache::memory::Memory;
use crate::cache::pattern::Pattern;
use crate::cache::space::Key;

/// Parts of the holds, each with a lock of its own.
const PARTS: u64 = 64;

/// The near tier.
pub(super) struct Near {
    memory: Memory,
    /// The session of tracking that serves; 0 while messages may be missed.
    session: AtomicU64,
    parts: Vec<Mutex<Holds>>,
    hashes: RandomState,
}

type Holds = HashMap<(Box<str>, Box<str>), Arc<Hold>>;

/// A fetch of a key that is under way.
pub(super) struct Hold {
    is_broken: AtomicBool,
    answer: Turn<Option<Answer>>,
}

type Answer = Result<Option<Fresh>, Arc<CacheError>>;

/// The one who fetched a value for several got an error.
#[derive(Debug, thiserror::Error)]
#[error("the value was asked for together with others")]
struct Together {
    source: Arc<CacheError>,
}

/// Somebody else fetches the value and is not done in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} ms (services.cache.timeout)", .timeout.as_millis())]
struct TimedOut {
    timeout: Duration,
}

/// A place at a hold. One who is dropped while it fetches, and whom nobody waits for, takes the hold away.
struct Place<'a> {
    near: &'a Near,
    key: Key<'a>,
    hold: &'a Arc<Hold>,
    is_left: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        let mut part = self.near.part(self.key);
        let name = name(self.key);
        // One in the map and one here.
        if Arc::strong_count(self.hold) == 2
            && part.get(&name).is_some_and(|hold| Arc::ptr_eq(hold, self.hold))
        {
            part.remove(&name);
        }
    }
}

impl Near {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            memory: Memory::new(capacity),
            session: AtomicU64::new(0),
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            hashes: RandomState::new(),
        }
    }

    /// A value that is near.
    pub(super) fn get(&self, key: Key<'_>) -> Option<Fresh> {
        if self.session.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.memory.get_fresh(key)
    }

    /// The same, shown.
    pub(super) fn at_hand(&self, key: Key<'_>, read: &mut dyn FnMut(&[u8])) -> AtHand {
        if self.session.load(Ordering::Acquire) == 0 {
            return AtHand::Unknown;
        }
        self.memory.at_hand(key, read)
    }

    /// A hold on a key, to fetch it; `None` when nothing can be kept.
    pub(super) fn hold(&self, key: Key<'_>) -> Option<Arc<Hold>> {
        if self.session.load(Ordering::Acquire) == 0 {
            return None;
        }
        let hold = || Arc::new(Hold { is_broken: AtomicBool::new(false), answer: Turn::new(None) });
        Some(Arc::clone(self.part(key).entry(name(key)).or_insert_with(hold)))
    }

    /// Fetches, or waits for the one who does.
    pub(super) async fn fetch<'a>(
        &self,
        key: Key<'a>,
        hold: &Arc<Hold>,
        timeout: Duration,
        far: impl FnOnce() -> Operation<'a, Option<Fresh>>,
    ) -> Result<Option<Fresh>, CacheError> {
        let mut place = Place { near: self, key, hold, is_left: false };
        let Ok(mut answer) = tokio::time::timeout(timeout, hold.answer.lock()).await else {
            return Err(CacheError::Unavailable { source: Box::new(TimedOut { timeout }) });
        };
        let fetched = match &*answer {
            Some(Ok(fetched)) => {
                place.is_left = true;
                return Ok(fetched.clone());
            }
            Some(Err(source)) => {
                place.is_left = true;
                let source = Box::new(Together { source: Arc::clone(source) });
                return Err(CacheError::Unavailable { source });
            }
            None => {
                // Dropped here, it leaves the turn to the next one who waits; and the hold to them, or to whoever comes next.
                let begin = Instant::now();
                let fetched = far().await;
                fetched.map(|found| {
                    // What it had left was told a while ago.
                    found.map(|(value, left)| (value, left.map(|left| left.saturating_sub(begin.elapsed()))))
                })
            }
        };
        place.is_left = true;
        match fetched {
            Ok(found) => {
                *answer = Some(Ok(found.clone()));
                self.keep(key, hold, found.as_ref());
                Ok(found)
            }
            Err(error) if error.is_unavailable() => {
                let source = Arc::new(error);
                *answer = Some(Err(Arc::clone(&source)));
                self.keep(key, hold, None);
                Err(CacheError::Unavailable { source: Box::new(Together { source }) })
            }
            Err(error) => {
                // For each who asks by itself: it is not the affair of the moment.
                self.keep(key, hold, None);
                Err(error)
            }
        }
    }

    /// Ends a hold, and keeps what was fetched unless it was broken.
    fn keep(&self, key: Key<'_>, hold: &Arc<Hold>, found: Option<&Fresh>) {
        let mut part = self.part(key);
        if hold.is_broken.load(Ordering::Relaxed) {
            return;
        }
        // Within the lock, so that no message comes between.
        part.remove(&name(key));
        if let Some((value, left)) = found {
            self.memory.set(key, value.clone(), *left);
        }
    }

    /// Forgets a key: it has changed, or may have.
    pub(super) fn forget(&self, key: Key<'_>) {
        let mut part = self.part(key);
        if let Some(hold) = part.remove(&name(key)) {
            hold.is_broken.store(true, Ordering::Relaxed);
        }
        self.memory.delete(key);
    }

    /// Forgets all keys of a space.
    pub(super) async fn forget_space(&self, space: &str) {
        for part in &self.parts {
            lock(part).retain(|(of, _), hold| {
                let stays = **of != *space;
                if !stays {
                    hold.is_broken.store(true, Ordering::Relaxed);
                }
                stays
            });
        }
        // The memory is never unavailable.
        let _ = self.memory.clear(space, &Pattern::all()).await;
    }

    /// Forgets all there is.
    pub(super) fn forget_all(&self) {
        for part in &self.parts {
            for (_, hold) in lock(part).drain() {
                hold.is_broken.store(true, Ordering::Relaxed);
            }
        }
        self.memory.clear_all();
    }

    /// Begins to serve, empty. The messages of this session come from now on, or before.
    pub(super) fn open(&self, session: u64) {
        self.forget_all();
        self.session.store(session, Ordering::Release);
    }

    /// Serves nothing more, unless another session has begun.
    pub(super) fn close(&self, session: u64) {
        let _ = self.session.compare_exchange(session, 0, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(super) fn limit(&self, space: &str, bytes: Option<u64>) {
        self.memory.limit(space, bytes);
    }

    pub(super) fn retain_limits(&self, is_kept: &dyn Fn(&str) -> bool) {
        self.memory.retain_limits(is_kept);
    }

    fn part(&self, key: Key<'_>) -> MutexGuard<'_, Holds> {
        let part = self.hashes.hash_one(key) % PARTS;
        // Below 64, so it fits and is in range.
        lock(&self.parts[part as usize])
    }

    #[cfg(test)]
    pub(super) fn is_open(&self) -> bool {
        self.session.load(Ordering::Acquire) != 0
    }

    #[cfg(test)]
    pub(super) fn holds(&self) -> usize {
        self.parts.iter().map(|part| lock(part).len()).sum()
    }
}

fn name(key: Key<'_>) -> (Box<str>, Box<str>) {
    (key.space.into(), key.name.into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
