//! How many schemas one process works on at once.
//!
//! Making, migrating or dropping a schema takes a session beside those of the pool, and one of the pool on top while the schema
//! is in use. So there are never more at once than the pool has: the others wait here, where nothing runs out of time.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::db::DatabaseError;

#[derive(Debug)]
pub(super) struct Operators {
    permits: Arc<Semaphore>,
    /// How many permits there are.
    allowed: Mutex<usize>,
    /// How many sessions of the pool work at once.
    most: usize,
}

impl Operators {
    pub(super) fn new(allowed: usize, most: usize) -> Self {
        let allowed = allowed.clamp(1, most.max(1));
        Self { permits: Arc::new(Semaphore::new(allowed)), allowed: Mutex::new(allowed), most }
    }

    /// Waits for one's turn.
    pub(super) async fn acquire(&self) -> Result<OwnedSemaphorePermit, DatabaseError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.map_err(|_closed| DatabaseError::Closed)
    }

    /// Allows so many at once, as far as the sessions of the pool go. Those under way are not disturbed.
    pub(super) fn allow(&self, wanted: usize) -> usize {
        let wanted = wanted.clamp(1, self.most.max(1));
        let mut allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted > *allowed {
            self.permits.add_permits(wanted - *allowed);
            *allowed = wanted;
        } else {
            *allowed -= self.permits.forget_permits(*allowed - wanted);
        }
        *allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn as_many_as_are_allowed_and_no_more_than_there_are_sessions() {
        let operators = Operators::new(8, 16);
        assert_eq!((operators.allow(64), operators.permits.available_permits()), (16, 16));
        let one = operators.acquire().await.unwrap();
        assert_eq!((operators.allow(2), operators.permits.available_permits()), (2, 1));
        drop(one);
        assert_eq!(operators.permits.available_permits(), 2);
        assert_eq!(Operators::new(8, 3).permits.available_permits(), 3);
    }
}
