//! Two tenants, many connections and few sessions.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, Statement, TransactionTrait,
};
use sqlx::{Executor, Row};

use super::super::isolation::{every_method_stays_with_its_tenant, read_as_ghost};
use super::super::{TABLES, bake, cake, count, eventually, id, new};
use super::Behind;
use crate::db::DatabaseError;
use crate::db::postgres::mutants::Mutant;

#[tokio::test]
async fn no_method_of_sea_orm_reaches_another_tenant_behind_a_pooler() {
    for sessions in [1, 3] {
        every_method_stays_with_its_tenant(&Behind::new(sessions).await.kitchen).await;
    }
}

/// Many tenants at once. How many rows of others were read, and how many of its own each has.
async fn crowd(behind: &Behind) -> (usize, Vec<u64>) {
    let kitchen = &behind.kitchen;
    let names: Vec<String> = (0..6).map(|n| format!("tenant{n}")).collect();
    for name in &names {
        kitchen.tenant(name).await;
    }
    let tasks = (0..64).map(|n| {
        let (name, db) = (names[n % 6].clone(), kitchen.handle(&names[n % 6]));
        tokio::spawn(async move {
            let mut foreign = 0;
            for round in 0..6 {
                let own = format!("{name}:");
                let _ = new(&format!("{own}{n} {round}")).insert(&db).await;
                let rows: Vec<cake::Model> = match round % 3 {
                    0 => cake::Entity::find().all(&db).await.unwrap_or_default(),
                    1 => match cake::Entity::find().stream(&db).await {
                        Ok(rows) => rows.try_collect().await.unwrap_or_default(),
                        Err(_) => Vec::new(),
                    },
                    _ => match db.begin().await {
                        Ok(transaction) => cake::Entity::find().all(&transaction).await.unwrap_or_default(),
                        Err(_) => Vec::new(),
                    },
                };
                foreign += rows.iter().filter(|row| !row.name.starts_with(&own)).count();
            }
            foreign
        })
    });
    let mut foreign = 0;
    for task in tasks.collect::<Vec<_>>() {
        foreign += task.await.unwrap();
    }
    kitchen.pool().mutant.choose(Mutant::None);
    let mut own = Vec::new();
    for name in &names {
        let db = kitchen.handle(name);
        let rows = cake::Entity::find().all(&db).await.unwrap();
        own.push(rows.iter().filter(|row| row.name.starts_with(&format!("{name}:"))).count() as u64);
    }
    (foreign, own)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_clients_on_two_sessions_see_their_own() {
    let behind = Behind::with(2, |settings| settings.connections = 64).await;
    let (foreign, own) = crowd(&behind).await;
    assert_eq!(foreign, 0);
    // Eleven tasks of four tenants, ten of two, with six rows each.
    assert_eq!(own, [66, 66, 66, 66, 60, 60]);
    let text = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
         AND application_name NOT LIKE 'sqlx%'";
    let sessions: i64 = behind.kitchen.beside().await.fetch_one(text).await.unwrap().get(0);
    assert!(sessions < 16, "the sessions were not shared: {sessions}");
}

/// The sibling that breaks the rule: a connection's tenant is remembered, as it is where sessions stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tenant_that_is_remembered_by_the_connection_meets_others() {
    let behind = Behind::with(2, |settings| settings.connections = 64).await;
    behind.kitchen.pool().mutant.choose(Mutant::RemembersBehindAPooler);
    let (foreign, _) = crowd(&behind).await;
    assert!(foreign > 0, "the broken rule went unnoticed");
}

#[tokio::test]
async fn a_missing_schema_is_an_error_behind_a_pooler_and_never_the_shared_tables() {
    let behind = Behind::new(2).await;
    let kitchen = &behind.kitchen;
    kitchen.database.shared().execute_unprepared(TABLES).await.unwrap();
    let acme = kitchen.tenant("acme").await;
    for _ in 0..3 {
        assert_eq!(count(&acme).await, 0);
        let missing = read_as_ghost(kitchen).await;
        assert!(
            matches!(missing, Err(DatabaseError::Missing { tenant }) if tenant == id("ghost")),
            "{missing:?}"
        );
    }
    kitchen.sql("DROP SCHEMA acme CASCADE").await;
    let missing = cake::Entity::find().count(&acme).await.map_err(DatabaseError::of);
    assert!(matches!(missing, Err(DatabaseError::Missing { .. })), "at once: {missing:?}");
    kitchen.pool().mutant.choose(Mutant::AsksForNoSchema);
    assert!(read_as_ghost(kitchen).await.is_ok(), "the broken rule reads `public`");
}

#[tokio::test]
async fn tenants_of_different_versions_share_no_plan_behind_a_pooler() {
    let behind = Behind::new(1).await;
    let kitchen = &behind.kitchen;
    let (acme, globex) = (kitchen.tenant("acme").await, kitchen.tenant("globex").await);
    for (db, labels) in [(&acme, "'a', 'b'"), (&globex, "'c', 'd'")] {
        db.execute_unprepared(&format!(
            "CREATE TYPE mood AS ENUM ({labels}); ALTER TABLE cake ADD mood mood"
        ))
        .await
        .unwrap();
    }
    globex.execute_unprepared("ALTER TABLE cake ALTER price TYPE bigint").await.unwrap();
    acme.execute_unprepared("INSERT INTO cake (name, price, mood) VALUES ('pie', 1, 'b')").await.unwrap();
    globex
        .execute_unprepared("INSERT INTO cake (name, price, mood) VALUES ('tart', 5000000000, 'd')")
        .await
        .unwrap();
    let select = |mood: &str| {
        let text = "SELECT price FROM cake WHERE mood = CAST($1 AS mood)";
        Statement::from_sql_and_values(DbBackend::Postgres, text, [mood.into()])
    };
    for _ in 0..4 {
        let row = acme.query_one_raw(select("b")).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i32>("", "price").unwrap(), 1);
        let row = globex.query_one_raw(select("d")).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i64>("", "price").unwrap(), 5_000_000_000);
    }
}

#[tokio::test]
async fn a_transaction_keeps_its_session_and_says_how_it_ended() {
    let behind = Behind::new(2).await;
    let acme = behind.kitchen.tenant("acme").await;
    let table = "CREATE TABLE late (a INTEGER REFERENCES cake (id) DEFERRABLE INITIALLY DEFERRED)";
    acme.execute_unprepared(table).await.unwrap();
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "gone").await;
    transaction.execute_unprepared("INSERT INTO late VALUES (99)").await.unwrap();
    assert!(transaction.commit().await.is_err());
    let alone = acme.execute_unprepared("INSERT INTO late VALUES (99)").await;
    assert!(alone.is_err(), "what the commit refuses is no success");
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "gone").await;
    assert!(transaction.execute_unprepared("SELECT 1 / 0").await.is_err());
    assert!(transaction.commit().await.is_err());
    assert_eq!(count(&acme).await, 0);
    let outer = acme.begin().await.unwrap();
    bake(&outer, "kept").await;
    let inner = outer.begin().await.unwrap();
    bake(&inner, "gone").await;
    drop(inner);
    assert_eq!(count(&outer).await, 1);
    outer.commit().await.unwrap();
    assert_eq!(count(&acme).await, 1);
}

#[tokio::test]
async fn levels_of_isolation_and_access_are_those_asked_for_behind_a_pooler() {
    use sea_orm::{AccessMode, IsolationLevel};
    let behind = Behind::new(2).await;
    let acme = behind.kitchen.tenant("acme").await;
    bake(&acme, "pie").await;
    let repeatable = Some(IsolationLevel::RepeatableRead);
    let reader = acme.begin_with_config(repeatable, Some(AccessMode::ReadOnly)).await.unwrap();
    assert_eq!(count(&reader).await, 1);
    bake(&acme, "tart").await;
    assert_eq!(count(&reader).await, 1, "it keeps its snapshot");
    assert!(cake::Entity::delete_many().exec(&reader).await.is_err());
    drop(reader);
    let late = acme.begin().await.unwrap();
    let refused = late.execute_unprepared("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").await.unwrap_err();
    assert!(refused.to_string().contains("begin_with_config"), "{refused}");
}

#[tokio::test]
async fn no_session_is_pinned_behind_a_pooler_and_the_error_says_what_to_do() {
    let behind = Behind::new(2).await;
    let acme = behind.kitchen.tenant("acme").await;
    let refused = acme.session().await.map(drop).unwrap_err();
    assert!(matches!(DatabaseError::find_in(&refused), Some(DatabaseError::Refused { .. })), "{refused}");
    assert!(refused.to_string().contains("use begin()"), "{refused}");
}

#[tokio::test]
async fn limits_hold_in_each_transaction() {
    let behind = Behind::with(2, |settings| {
        settings.busy_timeout = Duration::from_millis(50);
        settings.statement_timeout = Some(Duration::from_millis(300));
    })
    .await;
    let acme = behind.kitchen.tenant("acme").await;
    for _ in 0..2 {
        let late = acme.execute_unprepared("SELECT pg_sleep(20)").await.unwrap_err();
        assert!(late.to_string().contains("statement timeout"), "{late}");
    }
    let holder = acme.begin().await.unwrap();
    holder.execute_unprepared("LOCK TABLE cake").await.unwrap();
    let busy = cake::Entity::delete_many().exec(&acme).await.unwrap_err();
    assert!(DatabaseError::is_unavailable_in(&busy), "{busy}");
}

#[tokio::test]
async fn a_pooler_without_a_session_to_give_is_an_error_to_retry() {
    let behind = Behind::with(1, |settings| settings.acquire_timeout = Duration::from_millis(400)).await;
    let acme = behind.kitchen.tenant("acme").await;
    let held = acme.begin().await.unwrap();
    let refused = acme.begin().await.map(drop).unwrap_err();
    let found = DatabaseError::find_in(&refused);
    assert!(matches!(found, Some(DatabaseError::PoolerBusy { .. })), "{refused}");
    assert!(DatabaseError::is_unavailable_in(&refused), "{refused}");
    drop(held);
    assert_eq!(count(&acme).await, 0);
}

#[tokio::test]
async fn removing_waits_for_a_user_behind_a_pooler_and_migrations_go_to_the_server() {
    let behind = Behind::with(2, |settings| settings.drain_timeout = Duration::from_millis(100)).await;
    let kitchen = &behind.kitchen;
    let acme = kitchen.tenant("acme").await;
    let slow = [crate::db::Migrations::of::<super::super::migrations::Sleeping>("slow")];
    kitchen.database.migrate_tenant(&id("acme"), &slow).await.unwrap();
    let held = acme.begin().await.unwrap();
    let used = kitchen.database.remove(&id("acme"), &()).await;
    assert!(matches!(used, Err(DatabaseError::StillUsed { .. })), "{used:?}");
    held.rollback().await.unwrap();
    kitchen.database.remove(&id("acme"), &()).await.unwrap();
    let missing = cake::Entity::find().count(&acme).await.map_err(DatabaseError::of);
    assert!(matches!(missing, Err(DatabaseError::Missing { .. })), "{missing:?}");
    kitchen.tenant("acme").await;
    assert_eq!(count(&acme).await, 0, "made anew");
}

#[tokio::test]
async fn a_pooler_or_server_that_restarts_is_found_again() {
    let behind = Behind::with(2, |settings| settings.connections = 8).await;
    let acme = behind.kitchen.tenant("acme").await;
    bake(&acme, "pie").await;
    // All connections are open, and dead afterwards.
    let all = || async { futures_util::future::join_all((0..8).map(|_| count(&acme))).await };
    assert_eq!(all().await, [1; 8]);
    behind.pooler.restart();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(all().await, [1; 8], "nothing of the caller's was sent on a dead connection");
    for _ in 0..3 {
        let text = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        behind.kitchen.beside().await.execute(text).await.unwrap();
        assert_eq!(count(&acme).await, 1);
    }
    let mut rows = cake::Entity::find().stream(&acme).await.unwrap();
    assert!(rows.next().await.unwrap().is_ok());
    drop(rows);
    let pool = behind.kitchen.pool();
    eventually("every place free again", || async { pool.free_places().0 == 8 }).await;
}
