//! Transactions whose statements name their tables in full, and those in which one cannot.

use std::time::Duration;

use futures_util::TryStreamExt;
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, Statement, StreamTrait, TransactionTrait,
};

use sqlx::Executor;
use tokio::time::timeout;

use super::{Kitchen, TABLES, bake, cake, count, id, poll_times};
use crate::db::postgres::mutants::Mutant;
use crate::db::{DatabaseError, TenantDb, Transaction};

/// A read that goes by the path.
const OPAQUE: &str = "SELECT name FROM cake WHERE pg_catalog.lower(name) <> '' ORDER BY id";

async fn by_path(db: &impl ConnectionTrait) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, OPAQUE)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "name").unwrap()).collect()
}

/// Two tenants on one session, with a cake each.
async fn two() -> (Kitchen, TenantDb, TenantDb) {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
    kitchen.plain(&["acme", "globex"]).await;
    // Until then each statement by the path is followed by a reset.
    kitchen.known(&["acme", "globex"], &[]).await;
    bake(&acme, "of acme").await;
    bake(&globex, "of globex").await;
    (kitchen, acme, globex)
}

#[tokio::test]
async fn tenants_take_turns_in_transactions_on_one_session_without_a_switch() {
    let (kitchen, acme, globex) = two().await;
    // Under load the session may be looked at once a second.
    let mut switches = Vec::new();
    for round in 0..5 {
        let before = kitchen.switches();
        for (db, name) in [(&acme, "of acme"), (&globex, "of globex")] {
            let outer = db.begin().await.unwrap();
            assert_eq!(cake::Entity::find().one(&outer).await.unwrap().unwrap().name, name);
            let inner = outer.begin().await.unwrap();
            bake(&inner, "gone").await;
            inner.rollback().await.unwrap();
            let streamed: Vec<_> =
                cake::Entity::find().stream(&outer).await.unwrap().try_collect().await.unwrap();
            assert_eq!(streamed.len(), 1 + round);
            bake(&outer, &format!("{name}, {round}")).await;
            outer.commit().await.unwrap();
        }
        switches.push(kitchen.switches() - before);
    }
    assert_eq!(switches.iter().min(), Some(&0), "{switches:?}");
    assert_eq!((count(&acme).await, count(&globex).await), (6, 6));
}

#[tokio::test]
async fn a_statement_that_goes_by_the_path_moves_the_session_within_the_transaction() {
    let (kitchen, acme, globex) = two().await;
    for keeps in [true, false] {
        // The session is on nobody, or on the other.
        for other in [None, Some(&globex)] {
            match other {
                Some(other) => drop(by_path(other).await),
                None => assert_eq!(count(&globex).await, 1),
            }
            let transaction = acme.begin().await.unwrap();
            bake(&transaction, "new").await;
            assert_eq!(by_path(&transaction).await.last().unwrap(), "new");
            assert_eq!(count(&transaction).await, 2);
            cake::Entity::delete_many().exec(&transaction).await.unwrap();
            bake(&transaction, "of acme").await;
            if keeps {
                transaction.commit().await.unwrap();
            } else {
                transaction.rollback().await.unwrap();
            }
            // By the path, for each of them and whatever the end of the transaction did to it.
            assert_eq!(by_path(&acme).await, ["of acme"]);
            let transaction = globex.begin().await.unwrap();
            assert_eq!(cake::Entity::find().count(&transaction).await.unwrap(), 1);
            drop(transaction);
            assert_eq!(by_path(&globex).await, ["of globex"]);
        }
    }
    assert_eq!(kitchen.pool().free_places().0, 1);
}

#[tokio::test]
async fn a_move_that_is_kept_serves_the_next_statement() {
    let (kitchen, acme, _) = two().await;
    let mut fewest = usize::MAX;
    for _ in 0..5 {
        let transaction = acme.begin().await.unwrap();
        bake(&transaction, "new").await;
        assert_eq!(by_path(&transaction).await.len(), 2);
        cake::Entity::delete_many().exec(&transaction).await.unwrap();
        bake(&transaction, "of acme").await;
        transaction.commit().await.unwrap();
        let before = kitchen.switches();
        assert_eq!(by_path(&acme).await, ["of acme"]);
        fewest = fewest.min(kitchen.switches() - before);
    }
    assert_eq!(fewest, 0);
}

#[tokio::test]
async fn a_move_behind_a_savepoint_that_is_undone_is_made_again() {
    let (_kitchen, acme, globex) = two().await;
    for keeps in [true, false] {
        count(&globex).await;
        let outer = acme.begin().await.unwrap();
        assert_eq!(cake::Entity::find().count(&outer).await.unwrap(), 1);
        let inner = outer.begin().await.unwrap();
        assert_eq!(by_path(&inner).await, ["of acme"]);
        inner.rollback().await.unwrap();
        assert_eq!(by_path(&outer).await, ["of acme"]);
        bake(&outer, "kept").await;
        cake::Entity::delete_many().exec(&outer).await.unwrap();
        bake(&outer, "of acme").await;
        if keeps {
            outer.commit().await.unwrap();
        } else {
            drop(outer);
        }
        assert_eq!(by_path(&acme).await, ["of acme"]);
        assert_eq!(by_path(&globex).await, ["of globex"]);
    }
}

#[tokio::test]
async fn a_shared_table_is_read_and_written_in_a_transaction_of_a_plain_schema() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let shared = kitchen.database.shared();
    shared.execute_unprepared(TABLES).await.unwrap();
    kitchen.database.provision(&id("acme")).await.unwrap();
    let acme = kitchen.handle("acme");
    kitchen.plain(&["acme"]).await;
    let transaction = acme.begin().await.unwrap();
    // In full it would not be found, and nothing could follow.
    bake(&transaction, "of all").await;
    assert_eq!(count(&transaction).await, 1);
    transaction.commit().await.unwrap();
    assert_eq!(count(&shared).await, 1);
}

#[tokio::test]
async fn a_table_that_was_made_in_the_transaction_is_the_one_that_is_used() {
    let (_kitchen, acme, globex) = two().await;
    let transaction = acme.begin().await.unwrap();
    assert_eq!(count(&transaction).await, 1);
    transaction.execute_unprepared("CREATE TEMP TABLE cake (LIKE cake)").await.unwrap();
    assert_eq!(count(&transaction).await, 0);
    transaction.commit().await.unwrap();
    assert_eq!((count(&acme).await, count(&globex).await), (1, 1));
}

/// What a transaction does after its first statement was cut short.
async fn goes_on(transaction: Transaction) -> Result<(), sea_orm::DbErr> {
    cake::Entity::find().all(&transaction).await?;
    by_path(&transaction).await;
    bake(&transaction, "new").await;
    transaction.commit().await
}

#[tokio::test]
async fn a_begin_that_is_cut_short_with_its_statement_is_begun_anew() {
    let (kitchen, acme, globex) = two().await;
    let mut cut = 0;
    // On a busy machine the answer is often there before the future is dropped.
    for (round, polls) in (1..7).cycle().enumerate() {
        if round >= 24 && cut > 8 {
            break;
        }
        assert!(round < 500, "{cut} statements that were cut short are too few to say anything");
        for first in [true, false] {
            // The session is now on nobody, now on another tenant.
            if polls % 2 == 0 {
                drop(by_path(&globex).await);
            }
            let transaction = acme.begin().await.unwrap();
            let cut_short = if first {
                poll_times(polls, cake::Entity::find().all(&transaction)).await.is_none()
            } else {
                poll_times(polls, by_path(&transaction)).await.is_none()
            };
            cut += usize::from(cut_short);
            goes_on(transaction).await.unwrap();
            cake::Entity::delete_many().exec(&acme).await.unwrap();
            bake(&acme, "of acme").await;
            assert_eq!(by_path(&acme).await, ["of acme"]);
            assert_eq!(by_path(&globex).await, ["of globex"]);
        }
    }
    assert_eq!(kitchen.pool().free_places().0, 1);
}

#[tokio::test]
async fn a_session_that_died_before_the_begin_is_not_the_callers_affair() {
    let (kitchen, acme, _) = two().await;
    for _ in 0..3 {
        assert_eq!(count(&acme).await, 1);
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
             AND datname = current_database() AND query NOT LIKE '%definitions%'";
        let transaction = acme.begin().await.unwrap();
        kitchen.sql(kill).await;
        assert_eq!(count(&transaction).await, 1);
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_schema_that_goes_is_an_error_in_a_transaction_and_not_the_shared_table() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    kitchen.sql(TABLES).await;
    let acme = kitchen.tenant("acme").await;
    kitchen.plain(&["acme"]).await;
    bake(&acme, "pie").await;
    kitchen.sql("ALTER SCHEMA acme RENAME TO elsewhere").await;
    for _ in 0..3 {
        // Once it is known that the schema is not plain, the begin asks for it.
        let read = async {
            let transaction = acme.begin().await?;
            cake::Entity::find().all(&transaction).await
        };
        let error = read.await.unwrap_err();
        assert!(error.to_string().contains("acme"), "{error}");
        let read = async {
            let transaction = acme.begin().await?;
            transaction.query_all_raw(Statement::from_string(DbBackend::Postgres, OPAQUE)).await
        };
        let error = DatabaseError::of(read.await.unwrap_err());
        assert!(matches!(error, DatabaseError::Missing { tenant } if tenant == id("acme")), "{error}");
    }
    kitchen.sql("ALTER SCHEMA elsewhere RENAME TO acme").await;
    assert_eq!(by_path(&acme).await, ["pie"]);
}

/// A read in full that fails: each cake costs one.
const FAILS: &str = "SELECT 1 / (price - 1) AS n FROM cake";

/// The ways to fail in a transaction whose statements are all in full.
const FAILURES: [&str; 3] = ["a write", "a read", "a stream"];

/// By then the server has a statement, and has not given up to wait for a lock.
const SENT: Duration = Duration::from_secs(1);

/// The same while the server holds the answer, so that none of them can have ended when it is dropped.
const CUT: [&str; 2] = ["a write", "a read"];

/// Whether a transaction with a failure in it says that it was kept, and how many cakes there are behind it.
async fn kept_though(failure: &str, mutant: Mutant) -> (bool, u64) {
    let (kitchen, acme, _) = two().await;
    kitchen.pool().mutant.choose(mutant);
    let fails = || Statement::from_string(DbBackend::Postgres, FAILS);
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "gone").await;
    match failure {
        "a write" => {
            let twice = super::new("of acme");
            assert!(cake::Entity::insert(twice).exec(&transaction).await.is_err());
        }
        "a read" => assert!(transaction.query_all_raw(fails()).await.is_err()),
        _ => {
            let rows = transaction.stream_raw(fails()).await.unwrap();
            assert!(rows.try_collect::<Vec<_>>().await.is_err());
        }
    }
    let kept = transaction.commit().await.is_ok();
    kitchen.pool().mutant.choose(Mutant::None);
    (kept, count(&acme).await)
}

/// As [`kept_though`], for a failure that another session holds up: it is dropped meanwhile, and fails afterwards.
async fn kept_though_cut(failure: &str) -> (bool, u64) {
    let (kitchen, acme, _) = two().await;
    kitchen.sql("CREATE TABLE acme.oven (hot integer)").await;
    kitchen.plain(&["acme"]).await;
    let mut beside = kitchen.beside().await;
    beside.execute("BEGIN; LOCK TABLE acme.oven IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "gone").await;
    if failure == "a write" {
        // Who wants a name that another one has not committed yet waits for it.
        beside.execute("INSERT INTO acme.cake (name, price) VALUES ('taken', 1)").await.unwrap();
        let insert = cake::Entity::insert(super::new("taken"));
        let ended = timeout(SENT, insert.exec(&transaction)).await;
        assert!(ended.is_err(), "it cannot have ended: {ended:?}");
    } else {
        let read = "SELECT 1 / (price - 1) AS n FROM cake WHERE price > (SELECT count(*) FROM oven)";
        let read = Statement::from_string(DbBackend::Postgres, read);
        let ended = timeout(SENT, transaction.query_all_raw(read)).await;
        assert!(ended.is_err(), "it cannot have ended: {ended:?}");
    }
    beside.execute("COMMIT").await.unwrap();
    (transaction.commit().await.is_ok(), count(&acme).await)
}

#[tokio::test]
async fn a_transaction_of_which_something_was_dropped_is_kept_as_a_whole_or_not_at_all() {
    for failure in CUT {
        let (kept, cakes) = kept_though_cut(failure).await;
        let (others, its_own) = if failure == "a write" { (2, 1) } else { (1, 1) };
        assert_eq!(cakes, others + if kept { its_own } else { 0 }, "{failure}");
        // What was sent to be done has failed; a read may have been dropped while it was prepared.
        assert!(!(kept && failure == "a write"), "{failure}");
    }
}

#[tokio::test]
async fn a_transaction_in_full_that_has_failed_is_not_committed_though_the_server_would_say_nothing() {
    for failure in FAILURES {
        assert_eq!(kept_though(failure, Mutant::None).await, (false, 1), "{failure}");
    }
    // The rule is what prevents it.
    for failure in FAILURES {
        assert_eq!(kept_though(failure, Mutant::BelievesInEachCommit).await, (true, 1), "{failure}");
    }
}
