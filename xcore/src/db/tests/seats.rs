//! Connections that a tenant's plan allows it.

use sea_orm::{AccessMode, TransactionTrait};

use super::*;
use crate::db::DatabaseError;

const WAIT: Duration = Duration::from_millis(300);

fn refused<T>(result: Result<T, sea_orm::DbErr>) -> Option<usize> {
    match DatabaseError::find_in(&result.err()?)? {
        DatabaseError::PlanConnections { connections, .. } => Some(*connections),
        _ => None,
    }
}

#[tokio::test]
async fn a_tenant_holds_as_many_connections_as_its_plan_allows() {
    for isolate in [true, false] {
        let kitchen = Kitchen::with(|settings| {
            settings.acquire_timeout = WAIT;
            settings.isolate = isolate;
        })
        .await;
        let other = kitchen.tenant("other").await;
        if isolate {
            kitchen.tenant("noisy").await;
        }
        let noisy = kitchen.database.tenant(&Tenant::with_seats(id("noisy"), 2));
        // One that only reads, as the other one writes to the same file.
        let first = noisy.begin_with_config(None, Some(AccessMode::ReadOnly)).await.unwrap();
        let session = noisy.session().await.unwrap();
        count(&first).await;
        let begun = std::time::Instant::now();
        assert_eq!(refused(cake::Entity::find().count(&noisy).await), Some(2));
        assert!(begun.elapsed() >= WAIT);
        assert_eq!(refused(noisy.begin().await), Some(2));
        assert_eq!(refused(noisy.session().await), Some(2));
        bake(&other, "pear").await;
        let (counted, ()) = tokio::join!(cake::Entity::find().count(&noisy), async {
            tokio::time::sleep(WAIT / 3).await;
            first.rollback().await.unwrap();
        });
        assert_eq!(counted.unwrap(), u64::from(!isolate));
        // However it ends: dropped half-way too. It cannot come to its end, as nobody else may write meanwhile.
        let writing = noisy.begin().await.unwrap();
        drop(session);
        bake(&writing, "kept").await;
        for _ in 0..20 {
            let mut write = Box::pin(bake(&noisy, "half"));
            assert!(waits(&mut write).await, "it cannot have ended");
            drop(write);
            drop(noisy.begin_with_config(None, Some(AccessMode::ReadOnly)).await.unwrap());
        }
        writing.commit().await.unwrap();
        // And at whichever moment, also while it writes.
        for _ in 0..20 {
            let mut write = Box::pin(bake(&noisy, "half"));
            let _ = waits(&mut write).await;
            drop(write);
            drop(noisy.begin().await.unwrap());
        }
    }
}

/// On the file that all share: who waits for the right to write waits behind those who can use it.
#[tokio::test]
async fn who_waits_for_its_own_seat_keeps_nobody_from_writing() {
    let kitchen = Kitchen::with(|settings| {
        settings.acquire_timeout = Duration::from_secs(10);
        settings.busy_timeout = Duration::from_secs(10);
        settings.isolate = false;
    })
    .await;
    let other = kitchen.tenant("other").await;
    let noisy = kitchen.database.tenant(&Tenant::with_seats(id("noisy"), 1));
    let session = noisy.session().await.unwrap();
    let mut waiting = Box::pin(bake(&noisy, "late"));
    assert!(waits(&mut waiting).await);
    tokio::time::timeout(Duration::from_secs(2), bake(&other, "pear")).await.unwrap();
    drop(session);
    waiting.await;
}
