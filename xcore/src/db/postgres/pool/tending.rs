//! Keeps as many sessions as are wanted.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::super::target::Target;
use super::{Held, Place, Pool};

/// A session that was idle for this long is closed.
const IDLE_FOR: Duration = Duration::from_secs(600);

impl Pool {
    /// Closes sessions that nobody needs, and opens those that are to be ready.
    pub(in super::super) async fn tend(self: &Arc<Self>) {
        let (now, broken) = (Instant::now(), self.state().broken);
        let mut spare = self.open_sessions().saturating_sub(self.limits.min_connections);
        let tired = self.take_idle(|connection| {
            let is_old = connection.retires <= now || broken.is_some_and(|at| connection.used <= at);
            let is_spare = !is_old && connection.used.elapsed() > IDLE_FOR && spare > 0;
            spare -= usize::from(is_spare);
            is_old || is_spare
        });
        for connection in tired {
            connection.close().await;
        }
        while self.open_sessions() < self.limits.min_connections {
            let Some(held) = self.take_empty() else { return };
            match self.connect(Instant::now() + Duration::from_secs(1), held.target).await {
                Ok(connection) => held.put_back(connection),
                // Whoever needs one says so; the next round tries again.
                Err(error) => return tracing::debug!(%error, "no connection can be made ready"),
            }
        }
    }

    fn open_sessions(&self) -> usize {
        self.state().places.iter().filter(|place| !matches!(place, Place::Empty)).count()
    }

    /// A place without a session, unless somebody waits for it.
    fn take_empty(self: &Arc<Self>) -> Option<Held> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let mut state = self.state();
        let at = state.places.iter().position(|place| matches!(place, Place::Empty))?;
        if state.closed {
            return None;
        }
        state.places[at] = Place::Lent;
        drop(state);
        // No tenant's: nobody waits for its end.
        Some(Held { pool: Arc::clone(self), at, target: Target::Directory, permit: Some(permit) })
    }
}

/// Keeps as many sessions as are wanted, and tells the figures.
pub(super) async fn look_after(pool: Weak<Pool>) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    for second in 0_u64.. {
        every.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.is_closed() {
            return;
        }
        pool.tell();
        if second.is_multiple_of(10) {
            pool.tend().await;
        }
    }
}
