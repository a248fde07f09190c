//! Futures dropped at every point where they can be.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use sea_orm::sea_query::Expr;
use sea_orm::{
    AccessMode, ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, Statement, TransactionTrait,
};

use super::{Kitchen, bake, cake, count, settings};
use crate::db::{Database, DatabaseError, OpenMode, TenantDb};
use crate::tenancy::Tenant;

/// Polls a future at most so many times and drops it. True when it came to its end.
async fn poll_times<F: Future>(times: usize, future: F) -> bool {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| {
        if polls == times {
            return Poll::Ready(false);
        }
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            // Dropped at once, while the answer is on its way.
            Poll::Pending if polls == times => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

type Operation = fn(TenantDb, String) -> BoxFuture<'static, ()>;

/// Errors do not matter here: what matters is what the next user finds.
const OPERATIONS: [(&str, Operation); 8] = [
    ("begin and drop", |db, _| async move { drop(db.begin().await) }.boxed()),
    ("begin, write, commit", |db, name| {
        async move {
            let Ok(transaction) = db.begin().await else { return };
            let _ = cake(&name).insert(&transaction).await;
            let _ = transaction.commit().await;
        }
        .boxed()
    }),
    ("begin, write, roll back", |db, name| {
        async move {
            let Ok(transaction) = db.begin().await else { return };
            let _ = cake(&name).insert(&transaction).await;
            let _ = transaction.rollback().await;
        }
        .boxed()
    }),
    ("savepoints", |db, name| {
        async move {
            let Ok(outer) = db.begin().await else { return };
            let Ok(inner) = outer.begin().await else { return };
            let _ = cake(&name).insert(&inner).await;
            let _ = inner.rollback().await;
            let Ok(inner) = outer.begin().await else { return };
            let _ = inner.commit().await;
            let _ = outer.commit().await;
        }
        .boxed()
    }),
    ("write", |db, name| async move { drop(cake(&name).insert(&db).await) }.boxed()),
    ("read all", |db, _| async move { drop(cake::Entity::find().all(&db).await) }.boxed()),
    ("stream a row", |db, _| {
        async move {
            let Ok(mut rows) = cake::Entity::find().stream(&db).await else { return };
            let _ = rows.next().await;
        }
        .boxed()
    }),
    ("read only", |db, _| {
        async move {
            let Ok(transaction) = db.begin_with_config(None, Some(AccessMode::ReadOnly)).await else {
                return;
            };
            let _ = cake::Entity::find().one(&transaction).await;
            let _ = transaction.commit().await;
        }
        .boxed()
    }),
];

fn cake(name: &str) -> cake::ActiveModel {
    cake::ActiveModel { name: Set(name.to_owned()), price: Set(1), ..Default::default() }
}

/// Cancels every operation at every poll, writes after each, and says how many acknowledged writes are not there.
async fn lost_writes(kitchen: &Kitchen) -> Result<usize, String> {
    let acme = kitchen.tenant("acme").await;
    let mut acknowledged = Vec::new();
    for (operation_name, operation) in OPERATIONS {
        for round in 0..6 {
            for polls in 0.. {
                let name = format!("{operation_name} {round} {polls}");
                let ended = poll_times(polls, operation(acme.clone(), format!("cancelled {name}"))).await;
                let written =
                    cake(&name).insert(&acme).await.map_err(|error| format!("after {name}: {error}"))?;
                acknowledged.push(written.name);
                if ended {
                    break;
                }
                assert!(polls < 200, "{operation_name} does not end");
            }
        }
    }
    // Another service on the same folder sees only what was committed.
    let mut beside = settings(&kitchen.folder);
    beside.mode = OpenMode::Beside;
    let beside = Database::open(beside).await.unwrap();
    let there: std::collections::HashSet<_> = cake::Entity::find()
        .all(&beside.tenant(&Tenant::admit(super::id("acme"), 0)))
        .await
        .unwrap()
        .into_iter()
        .map(|c| c.name)
        .collect();
    assert!(acknowledged.len() > 60, "{} cancellations are too few to say anything", acknowledged.len());
    Ok(acknowledged.iter().filter(|name| !there.contains(*name)).count())
}

#[tokio::test]
async fn a_future_dropped_at_any_poll_never_loses_a_later_write() {
    for connections in [1, 3] {
        let kitchen = Kitchen::with(|settings| settings.connections = connections).await;
        assert_eq!(lost_writes(&kitchen).await, Ok(0));
        // And no connection is missing at the end.
        let acme = kitchen.handle("acme");
        let there = count_of(&kitchen).await;
        let readers = (0..connections).map(|_| acme.begin_with_config(None, Some(AccessMode::ReadOnly)));
        for reader in futures_util::future::join_all(readers).await {
            assert_eq!(count(&reader.unwrap()).await, there);
        }
    }
}

async fn count_of(kitchen: &Kitchen) -> u64 {
    let mut beside = settings(&kitchen.folder);
    beside.mode = OpenMode::Beside;
    count(&Database::open(beside).await.unwrap().tenant(&Tenant::admit(super::id("acme"), 0))).await
}

/// The sibling that breaks the rule: connections go back as they are.
#[tokio::test]
async fn without_reset_or_close_the_same_cancellations_lose_writes() {
    let kitchen = Kitchen::with(|settings| {
        settings.connections = 1;
        settings.busy_timeout = Duration::from_millis(50);
    })
    .await;
    kitchen.sqlite.break_rule_two();
    let lost = lost_writes(&kitchen).await;
    assert!(!matches!(lost, Ok(0)), "the broken rule went unnoticed");
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back_before_the_connection_is_used_again() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "gone").await;
    drop(transaction);
    bake(&acme, "kept").await;
    assert_eq!(cake::Entity::find().all(&acme).await.unwrap().len(), 1);
    assert_eq!(count_of(&kitchen).await, 1);
}

const ENDLESS: &str =
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS n FROM c";

#[tokio::test]
async fn a_query_that_nobody_waits_for_stops_working() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    let endless = || Statement::from_string(sea_orm::DbBackend::Sqlite, ENDLESS);
    assert!(tokio::time::timeout(Duration::from_millis(50), acme.query_all_raw(endless())).await.is_err());
    assert_eq!(count(&acme).await, 0, "the only connection must be back");
    let writing = format!("INSERT INTO cake (name, price) SELECT 'never', n FROM ({ENDLESS})");
    assert!(
        tokio::time::timeout(Duration::from_millis(50), acme.execute_unprepared(&writing)).await.is_err()
    );
    assert_eq!(count(&acme).await, 0);
}

#[tokio::test]
async fn a_transaction_with_a_cancelled_write_cannot_be_committed() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "first").await;
    let endless = format!("INSERT INTO cake (name, price) SELECT 'never', n FROM ({ENDLESS})");
    assert!(!poll_times(1, transaction.execute_unprepared(&endless)).await);
    let refused = count_result(&transaction).await.unwrap_err();
    assert!(
        matches!(DatabaseError::find_in(&refused), Some(DatabaseError::TransactionInterrupted)),
        "{refused}"
    );
    let refused = transaction.commit().await.unwrap_err();
    assert!(
        matches!(DatabaseError::find_in(&refused), Some(DatabaseError::TransactionInterrupted)),
        "{refused}"
    );
    assert_eq!(count(&acme).await, 0);
}

async fn count_result<C: ConnectionTrait>(db: &C) -> Result<usize, sea_orm::DbErr> {
    cake::Entity::find().all(db).await.map(|all| all.len())
}

#[tokio::test]
async fn a_transaction_survives_a_cancelled_read_and_a_stream_dropped_early() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    let transaction = acme.begin().await.unwrap();
    for name in ["a", "b", "c"] {
        bake(&transaction, name).await;
    }
    let endless = Statement::from_string(sea_orm::DbBackend::Sqlite, ENDLESS);
    assert!(!poll_times(1, transaction.query_all_raw(endless)).await);
    let mut rows = cake::Entity::find().stream(&transaction).await.unwrap();
    assert!(rows.next().await.unwrap().is_ok());
    drop(rows);
    cake::Entity::update_many()
        .col_expr(cake::Column::Price, Expr::value(5))
        .exec(&transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let all: Vec<_> = cake::Entity::find().stream(&acme).await.unwrap().try_collect().await.unwrap();
    assert!(all.len() == 3 && all.iter().all(|cake| cake.price == 5));
}
