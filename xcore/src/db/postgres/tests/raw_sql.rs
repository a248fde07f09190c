//! SQL that changes the session ends with the statement or transaction that holds it.

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement, TransactionTrait};

use super::{Kitchen, bake, cake, count};
use crate::db::DatabaseError;
use crate::db::postgres::mutants::Mutant;

const CHANGES: [&str; 5] = [
    "SET search_path TO globex, public",
    "SELECT set_config('search_path', 'globex', false)",
    "CREATE TEMP TABLE cake (id int, name text, price int)",
    "DO $$ BEGIN PERFORM set_config('search_path', 'globex', false); END $$",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
];

async fn kitchen() -> Kitchen {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    kitchen.tenant("acme").await;
    bake(&kitchen.tenant("globex").await, "theirs").await;
    bake(&kitchen.handle("acme"), "mine").await;
    bake(&kitchen.handle("acme"), "mine too").await;
    kitchen
}

#[tokio::test]
async fn what_raw_sql_does_to_a_session_ends_with_it() {
    let kitchen = kitchen().await;
    let acme = kitchen.handle("acme");
    for change in CHANGES {
        acme.execute_unprepared(change).await.unwrap();
        assert_eq!(count(&acme).await, 2, "{change}");
        let transaction = acme.begin().await.unwrap();
        transaction.execute_unprepared(change).await.unwrap();
        if !change.contains("TEMP") {
            assert_eq!(count(&transaction).await, 2, "the next statement of the same transaction: {change}");
        }
        drop(transaction);
        assert_eq!(count(&acme).await, 2, "{change}");
        let _ = acme.query_all_raw(Statement::from_string(DbBackend::Postgres, change)).await;
        assert_eq!(count(&acme).await, 2, "{change}");
    }
    kitchen.postgres.pool.mutant.choose(Mutant::TrustsAllSql);
    // A name with a schema is not rewritten, so this goes by the session's path.
    let by_path = "SELECT id FROM cake WHERE pg_catalog.length(name) > 0";
    let mut read = 2;
    // What a session is, is believed for a second: on a machine that is slower than that the change is found and undone.
    for _ in 0..20 {
        acme.execute_unprepared(CHANGES[0]).await.unwrap();
        let rows = acme.query_all_raw(Statement::from_string(DbBackend::Postgres, by_path)).await.unwrap();
        read = read.min(rows.len());
    }
    assert_eq!(read, 1, "the broken rule reads another tenant's");
    assert_eq!(count(&acme).await, 2, "what names its tables in full does not");
}

/// The path is set again within the savepoint, which is then undone.
#[tokio::test]
async fn a_savepoint_that_is_undone_does_not_bring_another_path_back() {
    let kitchen = kitchen().await;
    let acme = kitchen.handle("acme");
    let transaction = acme.begin().await.unwrap();
    transaction.execute_unprepared("SET search_path TO globex").await.unwrap();
    let inner = transaction.begin().await.unwrap();
    assert_eq!(count(&inner).await, 2);
    inner.rollback().await.unwrap();
    assert_eq!(count(&transaction).await, 2);
}

#[tokio::test]
async fn a_transaction_left_open_by_raw_sql_is_rolled_back_and_said_so() {
    let kitchen = kitchen().await;
    let acme = kitchen.handle("acme");
    for text in ["BEGIN", "BEGIN; DELETE FROM cake", "DELETE FROM cake; BEGIN; SELECT 1"] {
        let open = acme.execute_unprepared(text).await.unwrap_err();
        assert!(matches!(DatabaseError::find_in(&open), Some(DatabaseError::TransactionLeftOpen)), "{open}");
        assert_eq!(count(&acme).await, 2, "{text}");
    }
    acme.execute_unprepared("BEGIN; DELETE FROM cake WHERE name = 'mine'; COMMIT").await.unwrap();
    assert_eq!(count(&acme).await, 1);
}

#[tokio::test]
async fn raw_sql_cannot_end_the_transaction_that_holds_it() {
    let kitchen = kitchen().await;
    let acme = kitchen.handle("acme");
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "gone").await;
    for text in ["COMMIT", "SELECT 1; commit", "/* x */ ROLLBACK", "SAVEPOINT a", "BEGIN"] {
        let refused = transaction.execute_unprepared(text).await.unwrap_err();
        assert!(matches!(DatabaseError::find_in(&refused), Some(DatabaseError::Refused { .. })), "{refused}");
    }
    drop(transaction);
    assert_eq!(count(&acme).await, 2);
}

#[tokio::test]
async fn a_transaction_that_raw_sql_has_ended_all_the_same_does_not_go_on() {
    let kitchen = kitchen().await;
    let acme = kitchen.handle("acme");
    let transaction = acme.begin().await.unwrap();
    // With this setting the text below is read as no careful reader would.
    transaction.execute_unprepared("SET standard_conforming_strings = off").await.unwrap();
    transaction.execute_unprepared("SELECT '\\'', 1; COMMIT --'").await.unwrap();
    assert!(cake::Entity::delete_many().exec(&transaction).await.is_err());
    assert!(transaction.commit().await.is_err());
    assert_eq!(count(&acme).await, 2);
}

#[tokio::test]
async fn what_a_session_remembers_of_inserts_is_not_told_to_the_next() {
    let kitchen = kitchen().await;
    let (acme, globex) = (kitchen.handle("acme"), kitchen.handle("globex"));
    let ask = |text: &str| Statement::from_string(DbBackend::Postgres, text.to_owned());
    for text in ["SELECT lastval()", "SELECT currval('acme.cake_id_seq')"] {
        bake(&acme, text).await;
        assert!(globex.query_one_raw(ask(text)).await.is_err(), "nothing was inserted by this caller");

        bake(&acme, &format!("{text} again")).await;
        let transaction = globex.begin().await.unwrap();
        for told in [
            transaction.query_one_raw(ask(text)).await.map(drop),
            transaction.query_all_raw(ask(text)).await.map(drop),
            transaction.execute_unprepared(text).await.map(drop),
        ] {
            let refused = told.unwrap_err();
            assert!(
                matches!(DatabaseError::find_in(&refused), Some(DatabaseError::Refused { .. })),
                "{refused}"
            );
        }
        // The transaction goes on.
        bake(&transaction, text).await;
        transaction.commit().await.unwrap();
    }
    assert_eq!(count(&globex).await, 3);

    // A session in which nothing was done before may be asked, also in its transactions.
    bake(&acme, "last").await;
    let session = globex.session().await.unwrap();
    let transaction = session.begin().await.unwrap();
    assert!(transaction.query_one_raw(ask("SELECT lastval()")).await.is_err());
    drop(transaction);
    let transaction = session.begin().await.unwrap();
    let own = bake(&transaction, "own").await.id;
    let told = transaction.query_one_raw(ask("SELECT lastval()")).await.unwrap().unwrap();
    assert_eq!(told.try_get_by_index::<i64>(0).unwrap(), i64::from(own));
}
