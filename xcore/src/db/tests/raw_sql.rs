//! SQL that the user wrote: what it may do, and what stays of it.

use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait, Value};
use sqlx::{Connection, Executor, Row, SqliteConnection};

use super::{Kitchen, bake, count};
use crate::db::{DatabaseError, TenantDb};

fn statement(text: &str) -> Statement {
    Statement::from_string(DbBackend::Sqlite, text)
}

async fn number<C: ConnectionTrait>(db: &C, text: &str) -> i64 {
    db.query_one_raw(statement(text)).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

async fn refused<C: ConnectionTrait>(db: &C, text: &str) {
    let script = db.execute_unprepared(text).await.unwrap_err();
    let bound = Statement::from_sql_and_values(DbBackend::Sqlite, text, Vec::<Value>::new());
    for error in [
        script,
        db.execute_raw(bound.clone()).await.unwrap_err(),
        db.query_one_raw(bound.clone()).await.unwrap_err(),
        db.query_all_raw(bound).await.unwrap_err(),
    ] {
        assert!(
            matches!(DatabaseError::find_in(&error), Some(DatabaseError::Refused { .. })),
            "{text}: {error}"
        );
        assert!(!DatabaseError::is_unavailable_in(&error));
    }
}

#[tokio::test]
async fn another_tenants_file_cannot_be_attached() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    bake(&kitchen.tenant("globex").await, "secret").await;
    let path = kitchen.folder.path().join("data/tenants/globex.db").display().to_string();
    for text in [
        format!("ATTACH DATABASE '{path}' AS other"),
        format!("/*;*/ attach '{path}' as other; SELECT * FROM other.cake"),
        format!("SELECT 1; ATTACH '{path}' AS other"),
        format!("\u{a0}ATTACH '{path}' AS other"),
        "DETACH DATABASE shared".to_owned(),
        format!("VACUUM INTO '{path}.copy'"),
    ] {
        refused(&acme, &text).await;
        let transaction = acme.begin().await.unwrap();
        refused(&transaction, &text).await;
    }
    // Also when it comes in through a builder's custom expression.
    let injected = sea_orm::sea_query::Query::select()
        .expr(sea_orm::sea_query::Expr::cust(format!("1; ATTACH '{path}' AS other")))
        .to_owned();
    assert!(matches!(
        DatabaseError::find_in(&acme.query_all(&injected).await.unwrap_err()),
        Some(DatabaseError::Refused { .. })
    ));
    assert_eq!(number(&acme, "SELECT count(*) FROM pragma_database_list").await, 2);
    assert!(acme.query_one_raw(statement("SELECT load_extension('x')")).await.is_err());
}

/// What the session of a connection looks like, on each connection of the tenant.
async fn sessions(db: &TenantDb) -> Vec<(i64, i64)> {
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(db.begin_with_config(None, Some(sea_orm::AccessMode::ReadOnly)).await.unwrap());
    }
    let mut sessions = Vec::new();
    for transaction in &held {
        let keys = number(transaction, "SELECT foreign_keys FROM pragma_foreign_keys").await;
        let temporary = number(transaction, "SELECT count(*) FROM sqlite_temp_master").await;
        sessions.push((keys, temporary));
    }
    sessions
}

#[tokio::test]
async fn what_sql_does_to_its_session_ends_with_it() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    assert_eq!(sessions(&acme).await, [(1, 0); 4]);
    for text in [
        "PRAGMA foreign_keys = OFF",
        "CREATE TEMP TABLE cake (a)",
        "create /* */ temporary view v as select 1",
        "CREATE TABLE \"temp\".x (a)",
        "SELECT 1; PRAGMA query_only = ON; SELECT 2",
        "BEGIN; INSERT INTO cake (name, price) VALUES (hex(randomblob(8)), 1); COMMIT",
    ] {
        for _ in 0..5 {
            acme.execute_unprepared(text).await.unwrap();
        }
        assert_eq!(sessions(&acme).await, [(1, 0); 4], "after {text}");
    }
    assert_eq!(count(&acme).await, 5);
    let transaction = acme.begin().await.unwrap();
    transaction.execute_unprepared("CREATE TEMP TABLE mine (a); INSERT INTO mine VALUES (1)").await.unwrap();
    assert_eq!(number(&transaction, "SELECT count(*) FROM mine").await, 1, "it works where it was made");
    transaction.commit().await.unwrap();
    assert_eq!(sessions(&acme).await, [(1, 0); 4]);
}

/// The sibling that breaks the rule: connections go back as they are.
#[tokio::test]
async fn without_closing_it_the_next_user_finds_the_changed_session() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    kitchen.sqlite.break_rule_two();
    acme.execute_unprepared("PRAGMA foreign_keys = OFF").await.unwrap();
    assert_ne!(sessions(&acme).await, [(1, 0); 4], "the broken rule went unnoticed");
}

#[tokio::test]
async fn a_transaction_left_open_by_raw_sql_is_an_error_and_keeps_nothing() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    for text in ["BEGIN", "BEGIN; INSERT INTO cake (name, price) VALUES ('gone', 1)", "SAVEPOINT a"] {
        let error = acme.execute_unprepared(text).await.unwrap_err();
        assert!(
            matches!(DatabaseError::find_in(&error), Some(DatabaseError::TransactionLeftOpen)),
            "{text}: {error}"
        );
    }
    for read in ["BEGIN; SELECT 1", "SAVEPOINT a; SELECT 1"] {
        let error = acme.query_all_raw(statement(read)).await.unwrap_err();
        assert!(
            matches!(DatabaseError::find_in(&error), Some(DatabaseError::Refused { .. })),
            "{read}: {error}"
        );
    }
    bake(&acme, "kept").await;
    assert_eq!(count(&acme).await, 1);
    let transaction = acme.begin().await.unwrap();
    for text in ["COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE xcore_2", "BEGIN", "SELECT 1; COMMIT"] {
        refused(&transaction, text).await;
    }
    transaction.rollback().await.unwrap();
}

/// Why a writing statement is never asked for its first row alone.
#[tokio::test]
async fn the_driver_hides_a_failed_commit_behind_the_first_row() {
    let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    database.execute("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)").await.unwrap();
    let orphan = sqlx::query("INSERT INTO b VALUES (9) RETURNING a").fetch_optional(&mut database).await;
    assert!(orphan.is_ok(), "when this fails, the driver was mended and the care in `run` may go");
    let row = database.fetch_one("SELECT count(*) FROM b").await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 0);
}
