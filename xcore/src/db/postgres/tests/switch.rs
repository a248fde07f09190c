//! The contract of [`Switch`], asked of a session of its own.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::{Kitchen, TABLES, id, poll_times};
use crate::db::DatabaseError;
use crate::db::postgres::pg::{PgSession, prepare_options};
use crate::db::postgres::switch::{Kept, Switch, Switched};
use crate::db::postgres::target::Target;

fn tenant(name: &str) -> Target {
    Target::Tenant(id(name))
}

/// Two tenants whose tables of one name differ, the shared table, and a session.
async fn session() -> (Kitchen, PgSession) {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    kitchen.sql(TABLES).await;
    kitchen.sql("INSERT INTO cake (name, price) VALUES ('shared', 1)").await;
    for name in ["acme", "globex"] {
        kitchen.tenant(name).await;
        kitchen.sql(&format!("INSERT INTO {name}.cake (name, price) VALUES ('of {name}', 1)")).await;
    }
    kitchen.sql("ALTER TABLE globex.cake ALTER price TYPE text").await;
    let options = kitchen.pool().options.clone();
    let session =
        PgSession::open(&prepare_options(options, std::time::Duration::from_secs(5))).await.unwrap();
    (kitchen, session)
}

/// A read as those who have a session on loan make it.
async fn read(session: &mut PgSession, target: Target) -> Result<Vec<String>, sqlx::Error> {
    let text = PgSession::kept(target).text("SELECT name, price FROM cake");
    let raw: &mut PgConnection = session.raw();
    let rows = sqlx::query(AssertSqlSafe(text)).persistent(PgSession::kept(target).is_kept()).fetch_all(raw);
    rows.await?.iter().map(|row| row.try_get(0)).collect()
}

#[tokio::test]
async fn a_session_serves_the_target_that_it_was_moved_to() {
    let (_kitchen, mut session) = session().await;
    for _ in 0..2 {
        for (target, name) in
            [(tenant("acme"), "of acme"), (tenant("globex"), "of globex"), (Target::Public, "shared")]
        {
            assert_eq!(session.switch(target, None).await.unwrap(), Switched { was_changed: false });
            // A statement that was kept for another one would have its columns.
            assert_eq!(read(&mut session, target).await.unwrap(), [name]);
            assert_eq!(PgSession::kept(target), Kept::For(target));
        }
    }
    assert!(session.has_one_role());
}

#[tokio::test]
async fn a_target_that_is_not_there_is_an_error_and_never_other_tables() {
    let (kitchen, mut session) = session().await;
    let missing = session.switch(tenant("nobody"), None).await;
    assert!(matches!(missing, Err(DatabaseError::Missing { .. })));
    kitchen.sql("DROP SCHEMA globex CASCADE").await;
    session.switch(tenant("acme"), None).await.unwrap();
    let missing = session.switch(tenant("globex"), None).await;
    assert!(matches!(missing, Err(DatabaseError::Missing { .. })));
    // It stays where it was, or finds nothing. Nobody asks it, but the shared tables it must not find.
    assert_ne!(read(&mut session, tenant("globex")).await.unwrap_or_default(), ["shared"]);
}

#[tokio::test]
async fn a_switch_that_is_cut_short_is_mended_by_the_next() {
    let (_kitchen, mut session) = session().await;
    let (mut polls, mut cut) = (1, true);
    while cut {
        session.switch(tenant("acme"), None).await.unwrap();
        cut = poll_times(polls, session.switch(tenant("globex"), None)).await.is_none();
        session.switch(tenant("acme"), None).await.unwrap();
        assert_eq!(read(&mut session, tenant("acme")).await.unwrap(), ["of acme"], "{polls}");
        polls += 1;
    }
}

#[tokio::test]
async fn a_session_that_is_not_as_it_was_left_is_reset() {
    let (_kitchen, mut session) = session().await;
    let acme = tenant("acme");
    for left in ["SET search_path TO globex", "CREATE TEMP TABLE cake (name text, price int)"] {
        session.switch(acme, Some(Some(Target::Nobody))).await.unwrap();
        session.control(left.to_owned()).await.unwrap();
        let switched = session.switch(acme, Some(Some(acme))).await.unwrap();
        assert_eq!(switched, Switched { was_changed: true }, "{left}");
        assert_eq!(read(&mut session, acme).await.unwrap(), ["of acme"]);
        session.reset().await.unwrap();
    }
}

#[tokio::test]
async fn after_a_reset_nothing_is_left() {
    let (_kitchen, mut session) = session().await;
    session.switch(tenant("acme"), None).await.unwrap();
    read(&mut session, tenant("acme")).await.unwrap();
    let left = "SET work_mem TO '5MB'; CREATE TEMP TABLE top (id int); LISTEN x; SELECT pg_advisory_lock(1);
                PREPARE p AS SELECT 1; DECLARE c CURSOR WITH HOLD FOR SELECT 1; SELECT set_config('a.b', 'c', false)";
    session.control(left.to_owned()).await.unwrap();
    session.reset().await.unwrap();
    let nothing = "SELECT current_setting('work_mem') <> '5MB' AND NOT EXISTS (SELECT FROM pg_cursors)
         AND NOT EXISTS (SELECT FROM pg_listening_channels()) AND NOT EXISTS (SELECT FROM pg_prepared_statements)
         AND NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
         AND coalesce(current_setting('a.b', true), '') = '' AND to_regclass('top') IS NULL AND to_regclass('cake') IS NULL";
    // By a text that the driver does not prepare.
    let row = session.raw().fetch_one(AssertSqlSafe(nothing.to_owned())).await.unwrap();
    assert!(row.try_get_unchecked::<bool, _>(0).unwrap());
    session.switch(tenant("acme"), Some(Some(Target::Nobody))).await.unwrap();
    assert_eq!(read(&mut session, tenant("acme")).await.unwrap(), ["of acme"]);
}
