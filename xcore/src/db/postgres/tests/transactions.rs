//! Transactions, savepoints and what a failed one may not claim.

use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{AccessMode, ConnectionTrait, EntityTrait, IsolationLevel, TransactionTrait};

use super::{Kitchen, bake, cake, count};
use crate::db::DatabaseError;

#[tokio::test]
async fn savepoints_keep_and_undo_their_own_part() {
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
async fn an_error_in_a_savepoint_does_not_end_the_transaction() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    let outer = acme.begin().await.unwrap();
    bake(&outer, "kept").await;
    let inner = outer.begin().await.unwrap();
    assert!(inner.execute_unprepared("SELECT 1 / 0").await.is_err());
    inner.rollback().await.unwrap();
    bake(&outer, "also kept").await;
    outer.commit().await.unwrap();
    assert_eq!(count(&acme).await, 2);
}

#[tokio::test]
async fn a_failed_transaction_cannot_be_committed_though_the_server_would_say_nothing() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "gone").await;
    assert!(transaction.execute_unprepared("SELECT 1 / 0").await.is_err());
    assert!(transaction.commit().await.is_err());
    assert_eq!(count(&acme).await, 0);
}

#[tokio::test]
async fn a_commit_that_fails_keeps_nothing_and_frees_the_connection() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    let table = "CREATE TABLE late (a INTEGER REFERENCES cake (id) DEFERRABLE INITIALLY DEFERRED)";
    acme.execute_unprepared(table).await.unwrap();
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "gone").await;
    transaction.execute_unprepared("INSERT INTO late VALUES (99)").await.unwrap();
    assert!(transaction.commit().await.is_err());
    assert_eq!(count(&acme).await, 0);
}

#[tokio::test]
async fn levels_of_isolation_and_access_are_those_asked_for() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    bake(&acme, "pie").await;
    let repeatable = Some(IsolationLevel::RepeatableRead);
    let reader = acme.begin_with_config(repeatable, Some(AccessMode::ReadOnly)).await.unwrap();
    assert_eq!(count(&reader).await, 1);
    bake(&acme, "tart").await;
    assert_eq!(count(&reader).await, 1, "it keeps its snapshot");
    assert!(cake::Entity::delete_many().exec(&reader).await.is_err());
    drop(reader);
    let serializable = Some(IsolationLevel::Serializable);
    let (one, other) = (
        acme.begin_with_config(serializable, None).await.unwrap(),
        acme.begin_with_config(serializable, None).await.unwrap(),
    );
    let raise =
        || cake::Entity::update_many().col_expr(cake::Column::Price, Expr::col(cake::Column::Price).add(1));
    assert_eq!((count(&one).await, count(&other).await), (2, 2));
    raise().exec(&one).await.unwrap();
    one.commit().await.unwrap();
    let conflict = raise().exec(&other).await.unwrap_err();
    assert!(DatabaseError::is_unavailable_in(&conflict), "worth a second try: {conflict}");
}

#[tokio::test]
async fn a_statement_waits_for_a_lock_no_longer_than_the_busy_timeout() {
    let kitchen = Kitchen::with(|settings| settings.busy_timeout = Duration::from_millis(50)).await;
    let acme = kitchen.tenant("acme").await;
    let holder = acme.begin().await.unwrap();
    holder.execute_unprepared("LOCK TABLE cake").await.unwrap();
    let busy = cake::Entity::delete_many().exec(&acme).await.unwrap_err();
    assert!(DatabaseError::is_unavailable_in(&busy), "{busy}");
}

#[tokio::test]
async fn when_all_connections_are_in_use_a_caller_gets_an_error_to_retry() {
    let kitchen = Kitchen::with(|settings| {
        settings.connections = 2;
        settings.acquire_timeout = Duration::from_millis(500);
    })
    .await;
    let acme = kitchen.tenant("acme").await;
    let held = [acme.begin().await.unwrap(), acme.begin().await.unwrap()];
    let refused = acme.begin().await.unwrap_err();
    let found = DatabaseError::find_in(&refused);
    assert!(matches!(found, Some(DatabaseError::NoConnection { connections: 2, .. })), "{refused}");
    drop(held);
    assert_eq!(count(&acme).await, 0);
}
