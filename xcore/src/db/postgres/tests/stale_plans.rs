//! Plans that have outlived their tables: somebody else changes them while sessions keep statements.

use futures_util::TryStreamExt;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, IsolationLevel, Statement, StreamTrait, TransactionTrait,
};

use super::{Kitchen, bake, cake, count};
use crate::db::{DatabaseError, TenantDb, Transaction};

/// In full, while the schema is plain.
const UNDERSTOOD: &str = "SELECT * FROM cake ORDER BY id";
/// By the path of the session.
const OPAQUE: &str = "SELECT * FROM cake WHERE pg_catalog.lower(name) <> '' ORDER BY id";

async fn names(db: &impl ConnectionTrait, text: &str) -> Result<Vec<String>, DbErr> {
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, text)).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

async fn streamed(db: &impl StreamTrait, text: &str) -> Result<Vec<String>, DbErr> {
    let rows = db.stream_raw(Statement::from_string(DbBackend::Postgres, text)).await?;
    let rows: Vec<_> = rows.try_collect().await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

/// One session, one tenant, one cake, and both texts prepared.
async fn kept() -> (Kitchen, TenantDb) {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    kitchen.plain(&["acme"]).await;
    kitchen.known(&["acme"], &[]).await;
    bake(&acme, "pie").await;
    prepare(&acme).await;
    (kitchen, acme)
}

async fn prepare(acme: &TenantDb) {
    for text in [UNDERSTOOD, OPAQUE] {
        assert_eq!(names(acme, text).await.unwrap(), ["pie"]);
        // In a transaction a text may be sent in another way, and behind what goes by the path in a third.
        for is_first in [true, false] {
            let transaction = acme.begin().await.unwrap();
            if !is_first {
                transaction.execute_unprepared("SELECT 1").await.unwrap();
            }
            assert_eq!(names(&transaction, text).await.unwrap(), ["pie"]);
            transaction.commit().await.unwrap();
        }
    }
}

/// Somebody else changes what each text gives.
async fn change(kitchen: &Kitchen, number: usize) {
    kitchen.sql(&format!("ALTER TABLE acme.cake ADD more_{number} text")).await;
}

#[tokio::test]
async fn the_first_statement_of_a_transaction_does_not_notice() {
    let (kitchen, acme) = kept().await;
    for (number, text) in [UNDERSTOOD, OPAQUE, UNDERSTOOD, OPAQUE].into_iter().enumerate() {
        prepare(&acme).await;
        change(&kitchen, number).await;
        let level = IsolationLevel::Serializable;
        let transaction = acme.begin_with_config(Some(level), None).await.unwrap();
        let read =
            if number < 2 { names(&transaction, text).await } else { streamed(&transaction, text).await };
        assert_eq!(read.unwrap(), ["pie"]);
        let level = "SHOW transaction_isolation";
        let level = Statement::from_string(DbBackend::Postgres, level);
        let level: String =
            transaction.query_one_raw(level).await.unwrap().unwrap().try_get_by_index(0).unwrap();
        assert_eq!(level, "serializable");
        bake(&transaction, "tart").await;
        cake::Entity::delete_many().exec(&transaction).await.unwrap();
        bake(&transaction, "pie").await;
        transaction.commit().await.unwrap();
        assert_eq!(count(&acme).await, 1);
    }
}

#[tokio::test]
async fn nor_does_the_first_behind_a_savepoint() {
    let (kitchen, acme) = kept().await;
    for (number, text) in [UNDERSTOOD, OPAQUE].into_iter().enumerate() {
        prepare(&acme).await;
        let outer = acme.begin().await.unwrap();
        // Not the table: a transaction that has it in its hands keeps others from changing it.
        outer.execute_unprepared("SELECT 1").await.unwrap();
        change(&kitchen, number).await;
        let inner = outer.begin().await.unwrap();
        assert_eq!(names(&inner, text).await.unwrap(), ["pie"]);
        bake(&inner, "tart").await;
        inner.rollback().await.unwrap();
        assert_eq!(names(&outer, text).await.unwrap(), ["pie"]);
        outer.commit().await.unwrap();
    }
}

/// What a transaction gives that had done something before.
async fn too_late(kitchen: &Kitchen, transaction: &Transaction, number: usize, text: &str) -> DatabaseError {
    transaction.execute_unprepared("SELECT 1").await.unwrap();
    change(kitchen, number).await;
    let read = if number < 2 { names(transaction, text).await } else { streamed(transaction, text).await };
    DatabaseError::find_in(&read.unwrap_err()).unwrap().clone()
}

#[tokio::test]
async fn a_later_statement_says_that_the_transaction_is_to_be_run_again() {
    let (kitchen, acme) = kept().await;
    for (number, text) in [UNDERSTOOD, OPAQUE, UNDERSTOOD, OPAQUE].into_iter().enumerate() {
        prepare(&acme).await;
        let transaction = acme.begin().await.unwrap();
        let error = too_late(&kitchen, &transaction, number, text).await;
        assert!(matches!(error, DatabaseError::TablesChanged), "{error}");
        assert!(error.is_unavailable());
        assert!(names(&transaction, text).await.is_err(), "it is broken");
        assert!(transaction.commit().await.is_err());
        // And the next try meets it no more.
        let transaction = acme.begin().await.unwrap();
        transaction.execute_unprepared("SELECT 1").await.unwrap();
        assert_eq!(names(&transaction, text).await.unwrap(), ["pie"]);
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_transaction_that_changes_the_tables_itself_reads_them_on() {
    let (_kitchen, acme) = kept().await;
    for (number, text) in [UNDERSTOOD, OPAQUE].into_iter().enumerate() {
        prepare(&acme).await;
        let transaction = acme.begin().await.unwrap();
        for step in 0..2 {
            assert_eq!(names(&transaction, text).await.unwrap(), ["pie"]);
            let more = format!("ALTER TABLE cake ADD more_{number}_{step} text");
            transaction.execute_unprepared(&more).await.unwrap();
            assert_eq!(names(&transaction, text).await.unwrap(), ["pie"]);
        }
        transaction.rollback().await.unwrap();
        assert_eq!(names(&acme, text).await.unwrap(), ["pie"], "after the change was undone");
        let transaction = acme.begin().await.unwrap();
        assert_eq!(names(&transaction, text).await.unwrap(), ["pie"]);
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn in_a_pinned_session_it_is_the_same() {
    let (kitchen, acme) = kept().await;
    let session = acme.session().await.unwrap();
    for number in 0..2 {
        assert_eq!(names(&session, OPAQUE).await.unwrap(), ["pie"]);
        let transaction = session.begin().await.unwrap();
        assert_eq!(names(&transaction, OPAQUE).await.unwrap(), ["pie"]);
        transaction.commit().await.unwrap();
        change(&kitchen, 2 * number).await;
        assert_eq!(names(&session, OPAQUE).await.unwrap(), ["pie"]);
        change(&kitchen, 2 * number + 1).await;
        let transaction = session.begin().await.unwrap();
        assert_eq!(names(&transaction, OPAQUE).await.unwrap(), ["pie"]);
        transaction.commit().await.unwrap();
    }
}
