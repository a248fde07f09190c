//! Which tenant files are open, at most `max_open` of them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::connection::Target;
use super::file::{FileUser, Limits, OpenFile};
use super::layout::Layout;
use crate::db::DatabaseError;
use crate::tenancy::TenantId;

/// The open files.
///
/// A file counts from before it is opened until after it is closed: each holds a permit of `places` for that time. The
/// lock is held for look-ups only, never across an await.
pub(super) struct Registry {
    layout: Layout,
    limits: Arc<Limits>,
    shared: Arc<OpenFile>,
    directory: Arc<OpenFile>,
    places: Arc<Semaphore>,
    state: Mutex<State>,
    this: Weak<Self>,
}

#[derive(Default)]
struct State {
    open: HashMap<TenantId, Arc<OpenFile>>,
    removing: HashSet<TenantId>,
    /// How many files are on their way out to make room.
    leaving: usize,
    clock: u64,
    closed: bool,
}

impl Registry {
    pub(super) fn new(layout: Layout, limits: Arc<Limits>) -> Arc<Self> {
        Arc::new_cyclic(|this| {
            let own = |path| {
                let target = Target { path, tenant: None, shared: None, busy_timeout: limits.busy_timeout };
                Arc::new(OpenFile::new(target, Arc::clone(&limits), Weak::clone(this)))
            };
            Self {
                shared: own(layout.shared()),
                directory: own(layout.directory()),
                layout,
                places: Arc::new(Semaphore::new(limits.max_open)),
                state: Mutex::default(),
                this: Weak::clone(this),
                limits,
            }
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shared(&self) -> Result<FileUser, DatabaseError> {
        if self.shared.is_closed() { Err(DatabaseError::Closed) } else { Ok(FileUser::of(&self.shared)) }
    }

    pub(super) fn directory(&self) -> Result<FileUser, DatabaseError> {
        if self.directory.is_closed() {
            Err(DatabaseError::Closed)
        } else {
            Ok(FileUser::of(&self.directory))
        }
    }

    pub(super) fn target(&self, id: &TenantId) -> Target {
        Target {
            path: self.layout.tenant(id),
            tenant: Some(*id),
            shared: Some(self.layout.shared()),
            busy_timeout: self.limits.busy_timeout,
        }
    }

    /// The tenant's file, with a place among the open ones. Waits for a place in order.
    pub(super) async fn tenant(&self, id: &TenantId) -> Result<FileUser, DatabaseError> {
        let user = self.look_up(id)?;
        if user.file().place.initialized() {
            return Ok(user);
        }
        let wait = self.limits.acquire_timeout;
        // All who want this file wait as one: the first waits for a place, the others for the first.
        let placed = timeout(wait, user.file().place.get_or_try_init(|| self.place())).await;
        match placed {
            Ok(Ok(_)) => Ok(user),
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Err(DatabaseError::TooManyOpen { max_open: self.limits.max_open, waited: wait }),
        }
    }

    fn look_up(&self, id: &TenantId) -> Result<FileUser, DatabaseError> {
        let mut state = self.state();
        if state.closed {
            return Err(DatabaseError::Closed);
        }
        if !state.removing.is_empty() && state.removing.contains(id) {
            return Err(DatabaseError::Removing { tenant: *id });
        }
        state.clock += 1;
        let now = state.clock;
        let file = match state.open.get(id) {
            Some(file) => file,
            None => {
                let file = OpenFile::new(self.target(id), Arc::clone(&self.limits), Weak::clone(&self.this));
                state.open.entry(*id).or_insert(Arc::new(file))
            }
        };
        file.last_used.store(now, Ordering::Relaxed);
        Ok(FileUser::of(file))
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, DatabaseError> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = Waiting::new(&self.limits);
        self.make_room();
        Arc::clone(&self.places).acquire_owned().await.map_err(|_closed| DatabaseError::Closed)
    }

    /// Closes idle files, least recently used first, one for each who waits.
    fn make_room(&self) {
        let mut state = self.state();
        while state.leaving < self.limits.waiting.load(Ordering::SeqCst) {
            let oldest = state
                .open
                .iter()
                .filter(|(_, file)| file.place.initialized() && file.users.load(Ordering::SeqCst) == 0)
                .min_by_key(|(_, file)| file.last_used.load(Ordering::Relaxed))
                .map(|(id, _)| *id);
            let Some(file) = oldest.and_then(|id| state.open.remove(&id)) else {
                return;
            };
            state.leaving += 1;
            let this = Weak::clone(&self.this);
            self.limits.runtime.spawn(async move {
                file.close().await;
                // Gives its place to the first in line.
                drop(file);
                if let Some(registry) = this.upgrade() {
                    registry.state().leaving -= 1;
                    registry.make_room();
                }
            });
        }
    }

    /// The last user of a file has gone.
    pub(super) fn freed(&self, file: &Arc<OpenFile>, useless: bool) {
        if useless && let Some(id) = &file.target.tenant {
            let mut state = self.state();
            let is_idle = file.users.load(Ordering::SeqCst) == 0 && !file.has_connections();
            if is_idle && state.open.get(id).is_some_and(|open| Arc::ptr_eq(open, file)) {
                state.open.remove(id);
            }
        }
        if self.limits.waiting.load(Ordering::SeqCst) > 0 {
            self.make_room();
        }
    }

    /// How many tenant files are open or opening.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.limits.max_open - self.places.available_permits()
    }

    /// Refuses new users of the tenant's file, waits for those there are, and closes it. New users are refused until the
    /// returned value is dropped.
    pub(super) async fn evacuate(&self, id: &TenantId) -> Result<Evacuated, DatabaseError> {
        let file = {
            let mut state = self.state();
            if state.closed {
                return Err(DatabaseError::Closed);
            }
            if !state.removing.insert(*id) {
                return Err(DatabaseError::Removing { tenant: *id });
            }
            state.open.get(id).cloned()
        };
        let evacuated = Evacuated { registry: Weak::clone(&self.this), id: *id };
        if let Some(file) = file {
            let waited = self.limits.drain_timeout;
            if !file.drain(waited).await {
                return Err(DatabaseError::StillUsed { tenant: *id, waited });
            }
            self.state().open.remove(id);
            file.close().await;
        }
        Ok(evacuated)
    }

    /// Closes every file, the shared one last: it may be the one that the others' logs rest on.
    pub(super) async fn close(&self) {
        let files: Vec<_> = {
            let mut state = self.state();
            state.closed = true;
            state.open.drain().map(|(_, file)| file).collect()
        };
        self.places.close();
        let deadline = Instant::now() + self.limits.drain_timeout;
        for file in files.iter().chain([&self.directory, &self.shared]) {
            file.drain(deadline.saturating_duration_since(Instant::now())).await;
            file.close().await;
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("folder", &self.layout.folder()).finish_non_exhaustive()
    }
}

/// Counts one who waits for a place, for as long as it waits.
struct Waiting<'a>(&'a Limits);

impl<'a> Waiting<'a> {
    fn new(limits: &'a Limits) -> Self {
        limits.waiting.fetch_add(1, Ordering::SeqCst);
        Self(limits)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A tenant's file that nobody has open and nobody may open.
pub(super) struct Evacuated {
    registry: Weak<Registry>,
    id: TenantId,
}

impl Drop for Evacuated {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.state().removing.remove(&self.id);
        }
    }
}
