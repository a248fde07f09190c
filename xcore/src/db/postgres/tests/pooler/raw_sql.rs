//! SQL that changes the session, behind a pooler that gives it to the next.

use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};

use super::super::{bake, count};
use super::Behind;
use crate::db::postgres::mutants::Mutant;
use crate::db::{DatabaseError, TenantDb};

const CHANGES: [&str; 10] = [
    "SET search_path TO globex, public",
    "SELECT set_config('search_path', 'globex', false), set_config('xcore.mark', 'left', false)",
    "CREATE TEMP TABLE cake (id int, name text, price int)",
    "DO $$ BEGIN PERFORM set_config('search_path', 'globex', false); END $$",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "DO $$ BEGIN EXECUTE 'PREPARE left_behind AS SELECT 1'; END $$",
    "LISTEN left_behind",
    "SELECT pg_advisory_lock(77)",
    "DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1",
    "SET ROLE pg_monitor",
];

/// What a session may still know of those who had it before.
const TRACES: &str = "SELECT concat_ws(' ', nullif(current_setting('xcore.mark', true), ''), \
     (SELECT 'prepared' FROM pg_prepared_statements LIMIT 1), (SELECT 'cursor' FROM pg_cursors WHERE is_holdable LIMIT 1), \
     (SELECT 'listens' FROM pg_listening_channels() LIMIT 1), \
     (SELECT 'lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() LIMIT 1), \
     (SELECT 'temp' FROM pg_class WHERE relnamespace = pg_my_temp_schema() LIMIT 1), \
     nullif(current_user, session_user), nullif(current_setting('default_transaction_read_only'), 'off'))";

async fn kitchen(sessions: usize) -> (Behind, TenantDb, TenantDb) {
    let behind = Behind::new(sessions).await;
    let (acme, globex) = (behind.kitchen.tenant("acme").await, behind.kitchen.tenant("globex").await);
    bake(&globex, "theirs").await;
    bake(&acme, "mine").await;
    bake(&acme, "mine too").await;
    (behind, acme, globex)
}

fn ask(text: &str) -> Statement {
    Statement::from_string(DbBackend::Postgres, text)
}

async fn traces(db: &impl ConnectionTrait) -> String {
    db.query_one_raw(ask(TRACES)).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

/// What another client of the same pooler finds, which cleans nothing.
async fn traces_for_others(behind: &Behind) -> String {
    use sqlx::{Connection, Executor, Row};
    let url = behind.kitchen.settings.server.as_ref().unwrap().as_str();
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let mut other = sqlx::PgConnection::connect_with(&options.extra_float_digits(None)).await.unwrap();
    other.fetch_one(TRACES).await.unwrap().get(0)
}

#[tokio::test]
async fn what_raw_sql_does_to_a_session_is_seen_by_nobody_behind_a_pooler() {
    // One session, so that everybody gets the one that was changed.
    let (behind, acme, globex) = kitchen(1).await;
    for change in CHANGES {
        for fails in [false, true] {
            let text = if fails { format!("{change}; SELECT 1 / 0") } else { change.to_owned() };
            assert_eq!(acme.execute_unprepared(&text).await.is_err(), fails, "{change}");
            assert_eq!(traces_for_others(&behind).await, "", "{text}");
            assert_eq!((traces(&globex).await.as_str(), count(&acme).await), ("", 2), "{text}");
            for keeps in [true, false] {
                let transaction = acme.begin().await.unwrap();
                assert_eq!(transaction.execute_unprepared(&text).await.is_err(), fails, "{text}");
                if !fails && !change.contains("TEMP") && !change.contains("ROLE") {
                    assert_eq!(
                        count(&transaction).await,
                        2,
                        "the next statement of the same transaction: {change}"
                    );
                }
                if keeps {
                    assert_eq!(transaction.commit().await.is_err(), fails);
                } else {
                    drop(transaction);
                }
                // A transaction that was dropped ends a moment later; whoever comes next waits for it.
                assert_eq!((traces(&globex).await.as_str(), count(&acme).await), ("", 2), "{text}");
                assert_eq!(traces_for_others(&behind).await, "", "{text}");
            }
        }
    }
    behind.kitchen.pool().mutant.choose(Mutant::TrustsAllSql);
    acme.execute_unprepared(CHANGES[1]).await.unwrap();
    assert_eq!(traces(&globex).await, "left", "the broken rule tells it another tenant");
}

/// User code that the text of a statement does not show.
#[tokio::test]
async fn what_a_trigger_leaves_in_a_session_is_not_found_by_the_next_tenant() {
    let (behind, acme, globex) = kitchen(1).await;
    let hidden = "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         PERFORM set_config('xcore.mark', 'left', false), set_config('search_path', 'acme', false), pg_advisory_lock(78); \
         CREATE TEMP TABLE IF NOT EXISTS cake AS SELECT 1 AS id, 'secret' AS name, 1 AS price; \
         RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER leaves AFTER INSERT ON cake DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION leave()";
    acme.execute_unprepared(hidden).await.unwrap();
    for name in ["a", "b"] {
        bake(&acme, name).await;
        assert_eq!(traces(&globex).await, "");
        bake(&acme, &format!("{name} again")).await;
        assert_eq!(count(&globex).await, 1);
        let transaction = acme.begin().await.unwrap();
        bake(&transaction, &format!("{name} in a transaction")).await;
        transaction.commit().await.unwrap();
        assert_eq!(count(&globex).await, 1);
    }
    behind.kitchen.pool().mutant.choose(Mutant::TrustsAllSql);
    bake(&acme, "last").await;
    assert_ne!(traces(&globex).await, "", "the broken rule tells it another tenant");
}

#[tokio::test]
async fn a_text_cannot_begin_or_end_the_transaction_around_it() {
    let (_behind, acme, _) = kitchen(2).await;
    let off = "SET standard_conforming_strings = off";
    for text in
        ["COMMIT", "SELECT 1; commit", "BEGIN; DELETE FROM cake; COMMIT", "/* x */ ROLLBACK", "SAVEPOINT a"]
    {
        let refused = acme.execute_unprepared(text).await.unwrap_err();
        assert!(matches!(DatabaseError::find_in(&refused), Some(DatabaseError::Refused { .. })), "{refused}");
    }
    // With the setting off the text would be read as no careful reader would, and end the transaction.
    let text = "SELECT '\\'', 1; COMMIT; DELETE FROM cake --'";
    let transaction = acme.begin().await.unwrap();
    for change in [off, "DO $$ BEGIN PERFORM set_config('standard_conforming_strings', 'off', false); END $$"]
    {
        transaction.execute_unprepared(change).await.unwrap();
        transaction.execute_unprepared(text).await.unwrap();
    }
    bake(&transaction, "undone").await;
    transaction.rollback().await.unwrap();
    assert_eq!(count(&acme).await, 2);
}

#[tokio::test]
async fn a_statement_that_must_be_alone_is_refused_with_the_way_to_run_it() {
    let (_behind, acme, _) = kitchen(2).await;
    for text in ["VACUUM cake", "CREATE INDEX CONCURRENTLY i ON cake (price)"] {
        let refused = acme.execute_unprepared(text).await.unwrap_err();
        assert!(refused.to_string().contains("direct_url"), "{refused}");
    }
    assert_eq!(count(&acme).await, 2);
}

/// A path that is set again within a savepoint is another one when the savepoint is undone.
#[tokio::test]
async fn a_savepoint_that_is_undone_does_not_bring_another_path_back() {
    let (_behind, acme, _) = kitchen(2).await;
    let transaction = acme.begin().await.unwrap();
    transaction.execute_unprepared("SET search_path TO globex").await.unwrap();
    let inner = transaction.begin().await.unwrap();
    assert_eq!(count(&inner).await, 2);
    inner.rollback().await.unwrap();
    assert_eq!(count(&transaction).await, 2);
}

#[tokio::test]
async fn a_transaction_knows_of_its_own_inserts_and_no_others() {
    let (_behind, acme, globex) = kitchen(1).await;
    bake(&acme, "more").await;
    for text in ["SELECT lastval()", "SELECT currval('acme.cake_id_seq')"] {
        assert!(globex.query_one_raw(ask(text)).await.is_err(), "nothing was inserted by this caller");
        let transaction = globex.begin().await.unwrap();
        assert!(transaction.query_one_raw(ask(text)).await.is_err());
    }
    let transaction = acme.begin().await.unwrap();
    let own = bake(&transaction, "own").await.id;
    let told = transaction.query_one_raw(ask("SELECT lastval()")).await.unwrap().unwrap();
    assert_eq!(told.try_get_by_index::<i64>(0).unwrap(), i64::from(own));
}
