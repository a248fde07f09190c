//! One at a time per tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::TenantId;

/// Locks by tenant. One tenant's holder never keeps another tenant waiting, and a lock nobody wants is not kept.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    locks: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// Waits for the tenant's turn; it ends when the guard is dropped. Fair. Cancellation safe.
    pub(crate) async fn of(&self, id: &TenantId) -> OwnedMutexGuard<()> {
        let lock = {
            // Held for look-ups only; nothing that can panic happens under it.
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that only the map holds are free, and nobody can be on the way to one without this lock.
            if locks.len() > 64 {
                locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            Arc::clone(locks.entry(*id).or_default())
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_tenant_waits_for_itself_and_for_nobody_else() {
        let turns = Turns::default();
        let acme = TenantId::parse("acme").unwrap();
        let held = turns.of(&acme).await;
        for number in 0..200 {
            let other = TenantId::parse(&format!("t{number}")).unwrap();
            // tokio makes a task that never waits rest now and then; that is not what is asked here.
            let turn = tokio::task::unconstrained(turns.of(&other)).now_or_never();
            assert!(turn.is_some(), "{other} waited for acme");
        }
        assert!(turns.of(&acme).now_or_never().is_none());
        drop(held);
        assert!(turns.of(&acme).now_or_never().is_some());
        assert!(turns.locks.lock().unwrap().len() <= 65);
    }
}
