//! Writers beside each other, savepoints, and handles that outlive their transaction.

use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::sea_query::Expr;
use sea_orm::{
    AccessMode, ConnectionTrait, DbErr, EntityTrait, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use super::{Kitchen, bake, cake, count};
use crate::db::{DatabaseError, TenantDb};

/// Reads a number and writes it back increased, many times beside each other.
async fn increase(db: &TenantDb, options: TransactionOptions) -> Vec<Result<(), DbErr>> {
    let tasks = (0..8).map(|_| {
        let db = db.clone();
        tokio::spawn(async move {
            for _ in 0..15 {
                let transaction = db.begin_with_options(options).await?;
                let price = cake::Entity::find_by_id(1).one(&transaction).await?.map_or(0, |cake| cake.price);
                tokio::task::yield_now().await;
                cake::Entity::update_many()
                    .col_expr(cake::Column::Price, Expr::value(price + 1))
                    .exec(&transaction)
                    .await?;
                transaction.commit().await?;
            }
            Ok(())
        })
    });
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_beside_each_other_lose_nothing_and_get_no_busy_error() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    bake(&acme, "pie").await;
    let results = increase(&acme, TransactionOptions::default()).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(cake::Entity::find_by_id(1).one(&acme).await.unwrap().unwrap().price, 1 + 8 * 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn begun_deferred_the_same_writers_do_get_busy_errors() {
    let kitchen = Kitchen::with(|settings| settings.busy_timeout = Duration::from_millis(100)).await;
    let acme = kitchen.tenant("acme").await;
    bake(&acme, "pie").await;
    let deferred = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
        ..Default::default()
    };
    let results = increase(&acme, deferred).await;
    let busy = results.into_iter().find_map(Result::err).expect("a stale snapshot");
    assert!(DatabaseError::is_unavailable_in(&busy), "{busy}");
}

#[tokio::test]
async fn a_transaction_that_only_reads_waits_for_nobody_and_cannot_write() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    bake(&acme, "pie").await;
    let writer = acme.begin().await.unwrap();
    bake(&writer, "tart").await;
    let reader = acme.begin_with_config(None, Some(AccessMode::ReadOnly)).await.unwrap();
    assert_eq!(count(&reader).await, 1);
    writer.commit().await.unwrap();
    assert_eq!(count(&reader).await, 1, "it keeps its snapshot");
    assert!(cake::Entity::delete_many().exec(&reader).await.is_err());
    reader.commit().await.unwrap();
    // The connection that it used writes again.
    for n in 0..8 {
        bake(&acme, &n.to_string()).await;
    }
    assert_eq!(count(&acme).await, 10);
}

#[tokio::test]
async fn a_writer_waits_for_the_busy_timeout_and_gets_an_error_to_retry() {
    let kitchen = Kitchen::with(|settings| settings.busy_timeout = Duration::from_millis(50)).await;
    let acme = kitchen.tenant("acme").await;
    let held = acme.begin().await.unwrap();
    assert_eq!(count(&acme).await, 0, "readers do not wait");
    let busy = cake::Entity::delete_many().exec(&acme).await.unwrap_err();
    assert!(matches!(DatabaseError::find_in(&busy), Some(DatabaseError::WriterBusy { .. })), "{busy}");
    assert!(DatabaseError::is_unavailable_in(&busy));
    held.rollback().await.unwrap();
    bake(&acme, "pie").await;
}

#[tokio::test]
async fn when_all_connections_are_in_use_a_caller_gets_an_error_to_retry() {
    let kitchen = Kitchen::with(|settings| {
        settings.connections = 2;
        settings.acquire_timeout = Duration::from_millis(50);
    })
    .await;
    let acme = kitchen.tenant("acme").await;
    let read = || acme.begin_with_config(None, Some(AccessMode::ReadOnly));
    let held = [read().await.unwrap(), read().await.unwrap()];
    let refused = read().await.unwrap_err();
    assert!(
        matches!(DatabaseError::find_in(&refused), Some(DatabaseError::NoConnection { connections: 2, .. })),
        "{refused}"
    );
    drop(held);
    assert_eq!(count(&acme).await, 0);
}

#[tokio::test]
async fn a_savepoint_dropped_without_end_is_undone_before_the_next_statement() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    let outer = acme.begin().await.unwrap();
    bake(&outer, "kept").await;
    let inner = outer.begin().await.unwrap();
    bake(&inner, "gone").await;
    let innermost = inner.begin().await.unwrap();
    bake(&innermost, "gone too").await;
    drop(innermost);
    assert_eq!(count(&inner).await, 2);
    drop(inner);
    assert_eq!(count(&outer).await, 1);
    let inner = outer.begin().await.unwrap();
    bake(&inner, "kept as well").await;
    inner.commit().await.unwrap();
    outer.commit().await.unwrap();
    assert_eq!(count(&acme).await, 2);
}

#[tokio::test]
async fn a_savepoint_that_outlives_its_transaction_writes_nothing() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    for commit in [true, false] {
        let outer = acme.begin().await.unwrap();
        let inner = outer.begin().await.unwrap();
        bake(&inner, if commit { "kept" } else { "gone" }).await;
        if commit {
            outer.commit().await.unwrap();
        } else {
            drop(outer);
        }
        let ended = cake::Entity::delete_many().exec(&inner).await.unwrap_err();
        assert!(matches!(DatabaseError::find_in(&ended), Some(DatabaseError::TransactionEnded)), "{ended}");
        assert!(inner.commit().await.is_err());
    }
    assert_eq!(cake::Entity::find().one(&acme).await.unwrap().unwrap().name, "kept");
    assert_eq!(count(&acme).await, 1);
}

#[tokio::test]
async fn a_commit_that_fails_keeps_nothing_and_frees_the_connection() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    acme.execute_unprepared(
        "CREATE TABLE late (a INTEGER REFERENCES cake (id) DEFERRABLE INITIALLY DEFERRED)",
    )
    .await
    .unwrap();
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "gone").await;
    transaction.execute_unprepared("INSERT INTO late VALUES (99)").await.unwrap();
    assert!(transaction.commit().await.is_err());
    assert_eq!(count(&acme).await, 0);
}
