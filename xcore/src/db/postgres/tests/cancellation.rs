//! Futures dropped at every point where they can be.

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, Statement, TransactionTrait};
use sqlx::{Executor, Row};
use std::collections::HashSet;
use std::time::Duration;

use super::{Kitchen, bake, cake, count, eventually, new, poll_times};
use crate::db::postgres::mutants::Mutant;
use crate::db::{DatabaseError, TenantDb};

pub(super) type Operation = fn(TenantDb, String) -> BoxFuture<'static, ()>;

/// Errors do not matter here: what matters is what the next user finds.
pub(super) const OPERATIONS: [(&str, Operation); 6] = [
    ("begin, write, commit", |db, name| {
        async move {
            let Ok(transaction) = db.begin().await else { return };
            let _ = new(&name).insert(&transaction).await;
            let _ = transaction.commit().await;
        }
        .boxed()
    }),
    ("savepoints", |db, name| {
        async move {
            let Ok(outer) = db.begin().await else { return };
            let Ok(inner) = outer.begin().await else { return };
            let _ = new(&name).insert(&inner).await;
            let _ = inner.rollback().await;
            let Ok(inner) = outer.begin().await else { return };
            let _ = inner.commit().await;
            let _ = outer.commit().await;
        }
        .boxed()
    }),
    ("write", |db, name| async move { drop(new(&name).insert(&db).await) }.boxed()),
    ("read all", |db, _| async move { drop(cake::Entity::find().all(&db).await) }.boxed()),
    ("stream a row", |db, _| {
        async move {
            let Ok(mut rows) = cake::Entity::find().stream(&db).await else { return };
            let _ = rows.next().await;
        }
        .boxed()
    }),
    // The last, so that nothing behind it commits what it should not have left open.
    ("begin, read, drop", |db, _| {
        async move {
            let Ok(transaction) = db.begin().await else { return };
            let _ = cake::Entity::find().one(&transaction).await;
        }
        .boxed()
    }),
];

/// Cancels every operation at every poll, writes after each, and says how many writes were acknowledged, and how many of
/// those are not there.
pub(super) async fn lost_writes(kitchen: &Kitchen, operations: &[(&str, Operation)]) -> (usize, usize) {
    let acme = kitchen.tenant("acme").await;
    let globex = kitchen.tenant("globex").await;
    let mut acknowledged = Vec::new();
    for (operation_name, operation) in operations {
        for round in 0..12 {
            for polls in 0..200 {
                let name = format!("{operation_name} {round} {polls}");
                // Another tenant's, so that a switch is cancelled as well.
                let cancelled = operation(globex.clone(), format!("cancelled {name}"));
                let ended = poll_times(polls, cancelled).await.is_some();
                if new(&name).insert(&acme).await.is_ok() {
                    acknowledged.push(name);
                }
                if ended {
                    break;
                }
            }
        }
    }
    let there: HashSet<String> = kitchen
        .beside()
        .await
        .fetch_all("SELECT name FROM acme.cake")
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    (acknowledged.len(), acknowledged.iter().filter(|name| !there.contains(*name)).count())
}

#[tokio::test]
async fn a_future_dropped_at_any_poll_never_loses_a_later_write() {
    for connections in [1, 3] {
        let kitchen = Kitchen::with(|settings| settings.connections = connections).await;
        let (acknowledged, lost) = lost_writes(&kitchen, &OPERATIONS).await;
        assert!(acknowledged > 50, "{acknowledged} cancellations are too few to say anything");
        assert_eq!(lost, 0);
        eventually("every place free again", || async { kitchen.pool().free_places().0 == connections })
            .await;
    }
}

/// The sibling that breaks the rule: sessions go back as they are.
#[tokio::test]
async fn without_reset_or_close_the_same_cancellations_lose_writes() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    kitchen.pool().mutant.choose(Mutant::ReusesAnything);
    // Others may leave the only session in a failed transaction, which refuses all writes instead of losing them.
    let begin_and_read = &OPERATIONS[OPERATIONS.len() - 1..];
    let (acknowledged, lost) = lost_writes(&kitchen, begin_and_read).await;
    assert!(lost > 0, "the broken rule went unnoticed: all of {acknowledged} writes are there");
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_frees_its_place_and_stops_on_the_server() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    let endless = Statement::from_string(DbBackend::Postgres, "SELECT pg_sleep(600)");
    assert!(tokio::time::timeout(Duration::from_millis(100), acme.query_all_raw(endless)).await.is_err());
    assert_eq!(count(&acme).await, 0, "the only place must be back");
    let kitchen = &kitchen;
    eventually("the end of the query", || async move {
        let text = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(600)%' AND pid <> pg_backend_pid() AND state = 'active'";
        kitchen.beside().await.fetch_one(text).await.unwrap().get::<i64, _>(0) == 0
    })
    .await;
}

#[tokio::test]
async fn a_transaction_with_a_cancelled_write_cannot_be_committed() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    // Until then the path is put in place before each statement, which the first poll would cut short.
    kitchen.known(&["acme"], &[]).await;
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "first").await;
    let slow = "INSERT INTO cake (name, price) SELECT 'never', 1 FROM pg_sleep(1)";
    assert!(poll_times(1, transaction.execute_unprepared(slow)).await.is_none());
    let refused = transaction.commit().await.unwrap_err();
    assert!(
        matches!(DatabaseError::find_in(&refused), Some(DatabaseError::TransactionInterrupted)),
        "{refused}"
    );
    assert_eq!(count(&acme).await, 0);
}

#[tokio::test]
async fn a_transaction_survives_a_stream_dropped_early() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    let transaction = acme.begin().await.unwrap();
    for name in ["a", "b", "c"] {
        bake(&transaction, name).await;
    }
    let mut rows = cake::Entity::find().stream(&transaction).await.unwrap();
    assert!(rows.next().await.unwrap().is_ok());
    drop(rows);
    bake(&transaction, "d").await;
    transaction.commit().await.unwrap();
    assert_eq!(count(&acme).await, 4);
}

#[tokio::test]
async fn a_session_killed_in_the_pool_is_replaced_before_it_serves() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let (acme, globex) = (kitchen.tenant("acme").await, kitchen.tenant("globex").await);
    for _ in 0..3 {
        count(&acme).await;
        let text = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        kitchen.beside().await.execute(text).await.unwrap();
        // A switch to another tenant finds out, or the read is run once more.
        assert_eq!(count(&globex).await, 0);
    }
}
