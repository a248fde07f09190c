//! A session that is pinned for several statements.

use std::time::Duration;

use futures_util::TryStreamExt;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, Statement, StreamTrait, TransactionTrait};

use super::{Kitchen, TABLES, bake, cake, count, eventually, id, poll_times};
use crate::db::{DatabaseError, DbSession};
use crate::tenancy::Tenant;

fn raw(text: &str) -> Statement {
    Statement::from_string(DbBackend::Postgres, text)
}

async fn text<C: ConnectionTrait>(db: &C, sql: &str) -> String {
    db.query_one_raw(raw(sql)).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

fn own(error: DbErr) -> DatabaseError {
    DatabaseError::of(error)
}

#[tokio::test]
async fn what_is_set_in_a_session_holds_until_its_end_and_no_longer() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    bake(&acme, "pie").await;
    let session = acme.session().await.unwrap();
    session.execute_unprepared("CREATE TEMP TABLE top (id int); SET work_mem TO '5MB'").await.unwrap();
    session.execute_unprepared("INSERT INTO top SELECT id FROM cake").await.unwrap();
    assert_eq!(text(&session, "SELECT count(*)::text FROM top").await, "1");
    assert_eq!(text(&session, "SHOW work_mem").await, "5MB");
    session.execute_unprepared("SELECT pg_advisory_lock(5)").await.unwrap();
    bake(&session, "tart").await;
    assert_eq!(text(&session, "SELECT currval('cake_id_seq')::text").await, "2", "its own insert");
    let rows: Vec<_> =
        session.stream_raw(raw("SELECT * FROM cake")).await.unwrap().try_collect().await.unwrap();
    assert_eq!(rows.len(), 2);
    drop(session);
    let next = kitchen.handle("acme").session().await.unwrap();
    assert!(next.execute_unprepared("SELECT * FROM top").await.is_err());
    assert_ne!(text(&next, "SHOW work_mem").await, "5MB");
    let locks = "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    assert_eq!(text(&next, locks).await, "0");
    assert!(next.execute_unprepared("SELECT lastval()").await.is_err(), "of the one before");
}

#[tokio::test]
async fn a_pinned_session_comes_back_to_its_tenant_before_each_statement() {
    let kitchen = Kitchen::with(|settings| settings.connections = 2).await;
    let (acme, globex) = (kitchen.tenant("acme").await, kitchen.tenant("globex").await);
    bake(&acme, "pie").await;
    for name in ["a", "b", "c"] {
        bake(&globex, name).await;
    }
    let session = acme.session().await.unwrap();
    for wandering in [
        "SET search_path TO globex",
        "SELECT set_config('search_path', 'globex', false)",
        "DO $$ BEGIN PERFORM set_config('search_path', 'globex', false); END $$",
        "RESET ALL",
    ] {
        session.execute_unprepared(wandering).await.unwrap();
        assert_eq!(count(&session).await, 1, "{wandering}");
        // Also when it is done in a transaction, which ends.
        let transaction = session.begin().await.unwrap();
        transaction.execute_unprepared(wandering).await.unwrap();
        assert_eq!(count(&transaction).await, 1, "{wandering}");
        transaction.commit().await.unwrap();
        assert_eq!(count(&session).await, 1, "{wandering}");
        let rows: Vec<_> = cake::Entity::find().stream(&session).await.unwrap().try_collect().await.unwrap();
        assert_eq!(rows.len(), 1, "{wandering}");
    }
}

#[tokio::test]
async fn transactions_of_a_session_end_without_it() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    let session = acme.session().await.unwrap();
    let kept = session.begin().await.unwrap();
    bake(&kept, "kept").await;
    let inner = kept.begin().await.unwrap();
    bake(&inner, "undone").await;
    inner.rollback().await.unwrap();
    kept.commit().await.unwrap();
    let dropped = session.begin().await.unwrap();
    bake(&dropped, "dropped").await;
    drop(dropped);
    assert_eq!(count(&session).await, 1);
    let open = session.execute_unprepared("BEGIN; INSERT INTO cake (name, price) VALUES ('open', 1)").await;
    assert!(matches!(open.map_err(own), Err(DatabaseError::TransactionLeftOpen)));
    assert_eq!(count(&session).await, 1, "and the session goes on");
    let last = session.begin().await.unwrap();
    bake(&last, "last").await;
    drop(session);
    assert!(last.commit().await.is_err(), "it ended with its session");
    assert_eq!(count(&acme).await, 1);
}

#[tokio::test]
async fn a_pinned_session_of_a_tenant_that_is_gone_says_so() {
    let kitchen = Kitchen::with(|settings| settings.connections = 2).await;
    kitchen.database.shared().execute_unprepared(TABLES).await.unwrap();
    kitchen.tenant("acme").await;
    let life = Tenant::admit(id("acme"), 1);
    let acme = kitchen.database.tenant(&life);
    let (session, ended) = (acme.session().await.unwrap(), acme.session().await.unwrap());
    assert_eq!(count(&session).await, 0);
    kitchen.sql("DROP SCHEMA acme CASCADE").await;
    let session = &session;
    eventually("an error that says so", || async move {
        use sea_orm::PaginatorTrait;
        matches!(cake::Entity::find().count(session).await.map_err(own), Err(DatabaseError::Missing { .. }))
    })
    .await;
    life.end();
    for refused in [
        cake::Entity::find().all(&ended).await.map(drop),
        ended.begin().await.map(drop),
        cake::Entity::find().stream(&ended).await.map(drop),
        acme.session().await.map(drop),
    ] {
        assert!(matches!(refused.map_err(own), Err(DatabaseError::Missing { .. })));
    }
}

#[tokio::test]
async fn a_cancelled_write_ends_a_session_and_a_cancelled_read_does_not() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    kitchen.known(&["acme"], &[]).await;
    let session = acme.session().await.unwrap();
    for polls in 1..6 {
        poll_times(polls, cake::Entity::find().all(&session)).await;
        assert_eq!(count(&session).await, 0);
    }
    poll_times(
        1,
        session.execute_unprepared("INSERT INTO cake (name, price) SELECT 'x', 1 FROM pg_sleep(0.3)"),
    )
    .await;
    let refused = cake::Entity::find().all(&session).await.map(drop).map_err(own);
    assert!(matches!(refused, Err(DatabaseError::SessionInterrupted)), "{refused:?}");
    drop(session);
    let next: DbSession = acme.session().await.unwrap();
    count(&next).await;
    drop(next);
    eventually("its place free again", || async { kitchen.postgres.pool.free_places().0 == 1 }).await;
}

#[tokio::test]
async fn a_statement_ends_in_time_and_the_limit_survives_a_reset() {
    let kitchen = Kitchen::with(|settings| {
        settings.connections = 1;
        settings.statement_timeout = Some(Duration::from_millis(150));
    })
    .await;
    let acme = kitchen.tenant("acme").await;
    for _ in 0..2 {
        let late = acme.execute_unprepared("SELECT pg_sleep(20)").await.unwrap_err();
        assert!(late.to_string().contains("statement timeout"), "{late}");
        assert!(DatabaseError::is_unavailable_in(&late), "{late}");
        // A session may have a limit of its own; it ends with it, by a reset.
        let session = acme.session().await.unwrap();
        session.execute_unprepared("SET statement_timeout TO 0").await.unwrap();
        session.execute_unprepared("SELECT pg_sleep(0.3)").await.unwrap();
    }
    assert_eq!(text(&acme, "SHOW statement_timeout").await, "150ms");
    // A migration takes the time it takes.
    let slow = [crate::db::Migrations::of::<super::migrations::Sleeping>("slow")];
    kitchen.database.migrate_tenant(&id("acme"), &slow).await.unwrap();
}

#[tokio::test]
async fn as_many_sessions_as_asked_for_are_kept_ready() {
    let kitchen = Kitchen::with(|settings| {
        settings.connections = 6;
        settings.min_connections = 4;
    })
    .await;
    let pool = &kitchen.postgres.pool;
    eventually("four idle sessions", || async { pool.free_places() == (6, 4) }).await;
    let mut beside = kitchen.beside().await;
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::Executor::execute(&mut beside, kill).await.unwrap();
    // They serve nobody dead.
    let acme = kitchen.tenant("acme").await;
    assert_eq!(count(&acme).await, 0);
    pool.tend().await;
    eventually("four sessions that live", || async {
        let text = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let row = sqlx::Executor::fetch_one(&mut kitchen.beside().await, text).await.unwrap();
        pool.tend().await;
        sqlx::Row::get::<i64, _>(&row, 0) >= 4
    })
    .await;
}
