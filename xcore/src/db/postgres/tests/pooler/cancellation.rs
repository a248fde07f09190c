//! Futures dropped at every point, behind a pooler.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement, TransactionTrait};
use sqlx::{Executor, Row};

use super::super::cancellation::{OPERATIONS, lost_writes};
use super::super::{bake, cake, count, eventually, poll_times};
use super::Behind;
use crate::db::DatabaseError;
use crate::db::postgres::mutants::Mutant;

#[tokio::test]
async fn a_future_dropped_at_any_poll_never_loses_a_later_write_behind_a_pooler() {
    for (connections, sessions) in [(1, 1), (4, 2)] {
        let behind = Behind::with(sessions, |settings| settings.connections = connections).await;
        let (acknowledged, lost) = lost_writes(&behind.kitchen, &OPERATIONS).await;
        assert!(acknowledged > 50, "{acknowledged} cancellations are too few to say anything");
        assert_eq!(lost, 0);
        let pool = behind.kitchen.pool();
        eventually("every place free again", || async { pool.free_places().0 == connections }).await;
    }
}

/// The sibling that breaks the rule: connections go back as they are.
#[tokio::test]
async fn without_an_end_of_what_was_cut_short_a_pooler_keeps_it() {
    let behind = Behind::with(1, |settings| settings.connections = 1).await;
    let acme = behind.kitchen.tenant("acme").await;
    behind.kitchen.pool().mutant.choose(Mutant::ReusesAnything);
    let dropped = acme.begin().await.unwrap();
    bake(&dropped, "never committed").await;
    drop(dropped);
    bake(&acme, "kept").await;
    assert_eq!(count(&acme).await, 2, "the broken rule keeps what was never committed");
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_frees_its_place_and_stops_on_the_server_behind_a_pooler() {
    let behind = Behind::with(1, |settings| settings.connections = 1).await;
    let kitchen = &behind.kitchen;
    let acme = kitchen.tenant("acme").await;
    let endless = Statement::from_string(DbBackend::Postgres, "SELECT pg_sleep(600)");
    assert!(tokio::time::timeout(Duration::from_millis(200), acme.query_all_raw(endless)).await.is_err());
    assert_eq!(count(&acme).await, 0, "the only session of the pooler must be replaced");
    eventually("the end of the query", || async move {
        let text = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(600)%' AND pid <> pg_backend_pid() AND state = 'active'";
        kitchen.beside().await.fetch_one(text).await.unwrap().get::<i64, _>(0) == 0
    })
    .await;
}

#[tokio::test]
async fn a_transaction_with_a_cancelled_write_cannot_be_committed_behind_a_pooler() {
    let behind = Behind::new(2).await;
    let acme = behind.kitchen.tenant("acme").await;
    // Until then the path is put in place before each statement, which the first poll would cut short.
    behind.kitchen.known(&["acme"], &[]).await;
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "first").await;
    for polls in 1..4 {
        // A cancelled read does no harm.
        poll_times(polls, cake::Entity::find().all(&transaction)).await;
        assert_eq!(count(&transaction).await, 1);
    }
    let slow = "INSERT INTO cake (name, price) SELECT 'never', 1 FROM pg_sleep(1)";
    assert!(poll_times(1, transaction.execute_unprepared(slow)).await.is_none());
    let refused = transaction.commit().await.unwrap_err();
    assert!(
        matches!(DatabaseError::find_in(&refused), Some(DatabaseError::TransactionInterrupted)),
        "{refused}"
    );
    assert_eq!(count(&acme).await, 0);
}
