//! Who may create or delete a tenant, among several services, which stand for as many processes.

use std::time::Duration;

use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use sqlx::{Executor, Row};

use super::{Kitchen, TABLES, cake, count, eventually, id, poll_times};
use crate::db::{Database, DatabaseError, Migrations};
use crate::tenancy::Tenant;

/// Another process at the same work: the two share nothing but the server.
async fn beside(kitchen: &Kitchen) -> Database {
    Database::open(kitchen.settings.clone()).await.unwrap()
}

async fn is_free(database: &Database, name: &str) -> bool {
    let name = id(name);
    let claim = tokio::time::timeout(Duration::from_millis(300), database.claim(&name, true)).await;
    claim.is_ok_and(|claim| claim.is_ok())
}

/// Ends the sessions that hold or want a claim.
async fn kill_claims(kitchen: &Kitchen) -> usize {
    let text = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    kitchen.beside().await.fetch_all(text).await.unwrap().len()
}

#[tokio::test]
async fn one_process_at_a_time_has_the_claim_on_a_tenant() {
    let kitchen = Kitchen::new().await;
    let other = beside(&kitchen).await;
    let acme = id("acme");
    let claim = kitchen.database.claim(&acme, false).await.unwrap();
    claim.check().await.unwrap();
    assert!(!is_free(&other, "acme").await && !is_free(&kitchen.database, "acme").await);
    assert!(is_free(&other, "globex").await, "another tenant waits for nobody");
    let waiting = tokio::spawn(async move { other.claim(&acme, true).await.map(drop) });
    drop(claim);
    waiting.await.unwrap().unwrap();
}

/// How many sessions there are for claims.
async fn claim_sessions(kitchen: &Kitchen) -> i64 {
    let text = "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    kitchen.beside().await.fetch_one(text).await.unwrap().get(0)
}

#[tokio::test]
async fn claims_hinder_nobody_who_serves_or_migrates_or_claims_another_tenant() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let mut claims = Vec::new();
    for n in 0..100 {
        claims.push(kitchen.database.claim(&id(&format!("t{n}")), false).await.unwrap());
    }
    assert_eq!(claim_sessions(&kitchen).await, 1);
    assert!(is_free(&kitchen.database, "one-more").await);
    let served = kitchen.tenant("t0").await;
    assert_eq!(count(&served).await, 0);
    kitchen.database.migrate_tenant(&id("t0"), &[Migrations::of::<Shelf>("orders")]).await.unwrap();
    kitchen.database.remove(&id("t0"), claims[0].as_ref()).await.unwrap();
    let other = beside(&kitchen).await;
    assert!(!is_free(&other, "t99").await);
    claims.pop();
    assert!(is_free(&other, "t99").await && !is_free(&other, "t98").await, "one is given back alone");
    drop(claims);
    eventually("no session without a claim", || async { claim_sessions(&kitchen).await == 0 }).await;
}

#[tokio::test]
async fn a_claim_that_nobody_waits_for_any_more_is_given_back() {
    let kitchen = Kitchen::new().await;
    let other = beside(&kitchen).await;
    let held = kitchen.database.claim(&id("globex"), false).await.unwrap();
    for polls in 1..40 {
        poll_times(polls, kitchen.database.claim(&id("acme"), false)).await;
        drop(other.claim(&id("acme"), false).await.unwrap());
    }
    held.check().await.unwrap();
}

#[tokio::test]
async fn claims_whose_session_was_lost_are_reported_and_nothing_is_dropped() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    let other = beside(&kitchen).await;
    let claim = kitchen.database.claim(&id("acme"), true).await.unwrap();
    let globex = kitchen.database.claim(&id("globex"), true).await.unwrap();
    assert_eq!(kill_claims(&kitchen).await, 2);
    let taken = other.claim(&id("acme"), true).await.unwrap();
    // The lost session is replaced, and no claim of it comes to life again.
    let next = kitchen.database.claim(&id("initech"), true).await.unwrap();
    for lost in [
        claim.check().await,
        globex.check().await,
        kitchen.database.remove(&id("acme"), claim.as_ref()).await,
    ] {
        let Err(lost) = lost else { panic!("the claim is another one's") };
        assert!(matches!(lost, DatabaseError::ClaimLost { .. }) && lost.is_unavailable(), "{lost}");
    }
    next.check().await.unwrap();
    drop((claim, globex));
    next.check().await.unwrap();
    drop(kitchen.database.claim(&id("globex"), true).await.unwrap());
    assert_eq!(count(&acme).await, 0, "its schema is still there");
    other.remove(&id("acme"), taken.as_ref()).await.unwrap();
    assert!(!kitchen.database.exists(&id("acme")).await.unwrap());
}

#[tokio::test]
async fn a_handle_of_a_tenant_that_was_deleted_fails_also_when_there_is_a_new_one_of_its_name() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    kitchen.tenant("acme").await;
    let (first, second) = (Tenant::admit(id("acme"), 1), Tenant::admit(id("acme"), 2));
    let (held, new) = (kitchen.database.tenant(&first), kitchen.database.tenant(&second));
    assert_eq!(count(&held).await, 0);
    // One that waits for the only session.
    let busy = sea_orm::TransactionTrait::begin(&new).await.unwrap();
    let mut waits = Box::pin(cake::Entity::find().count(&held));
    assert!(futures_util::FutureExt::now_or_never(&mut waits).is_none());
    first.end();
    busy.rollback().await.unwrap();
    for ended in [waits.await, cake::Entity::find().count(&held).await] {
        let ended = ended.map_err(DatabaseError::of);
        assert!(matches!(ended, Err(DatabaseError::Missing { .. })), "{ended:?}");
    }
    assert_eq!(count(&new).await, 0);
}

mod slow {
    //! A migration that waits for the test.
    #![allow(elided_lifetimes_in_paths)] // `async_trait` wants the lifetimes of `up` written as SeaORM's trait writes them

    use sea_orm::{ConnectionTrait, DbErr};
    use sea_orm_migration::prelude::*;
    use tokio::sync::Semaphore;

    pub(super) static BEGUN: Semaphore = Semaphore::const_new(0);
    pub(super) static GO_ON: Semaphore = Semaphore::const_new(0);

    pub(super) struct Waits;

    impl MigrationName for Waits {
        fn name(&self) -> &str {
            "m1"
        }
    }

    #[async_trait::async_trait]
    impl MigrationTrait for Waits {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            BEGUN.add_permits(1);
            GO_ON.acquire().await.unwrap().forget();
            manager
                .get_connection()
                .execute_unprepared("CREATE TABLE IF NOT EXISTS shelf (id int)")
                .await
                .map(drop)
        }
    }

    pub(super) struct Plain;

    impl MigrationName for Plain {
        fn name(&self) -> &str {
            "m1"
        }
    }

    #[async_trait::async_trait]
    impl MigrationTrait for Plain {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            manager
                .get_connection()
                .execute_unprepared("CREATE TABLE IF NOT EXISTS shelf (id int)")
                .await
                .map(drop)
        }
    }
}

struct Slow;

impl sea_orm_migration::MigratorTrait for Slow {
    fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
        vec![Box::new(slow::Waits)]
    }
}

struct Shelf;

impl sea_orm_migration::MigratorTrait for Shelf {
    fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
        vec![Box::new(slow::Plain)]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_waits_for_the_migration_of_another_process_and_one_that_comes_later_makes_nothing() {
    let kitchen =
        Kitchen::with(|settings| settings.drain_timeout = std::time::Duration::from_millis(500)).await;
    kitchen.database.shared().execute_unprepared(TABLES).await.unwrap();
    kitchen.tenant("acme").await;
    let other = beside(&kitchen).await;
    let migrating = other.clone();
    let migrating =
        tokio::spawn(
            async move { migrating.migrate_tenant(&id("acme"), &[Migrations::of::<Slow>("a")]).await },
        );
    slow::BEGUN.acquire().await.unwrap().forget();
    let claim = kitchen.database.claim(&id("acme"), true).await.unwrap();
    let used = kitchen.database.remove(&id("acme"), claim.as_ref()).await;
    assert!(matches!(used, Err(DatabaseError::StillUsed { .. })), "{used:?}");
    // One more, which waits for the first and then finds no schema.
    let late = other.clone();
    let late =
        tokio::spawn(
            async move { late.migrate_tenant(&id("acme"), &[Migrations::of::<Shelf>("late")]).await },
        );
    let mut server = kitchen.beside().await;
    // The claim's session and the late one.
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND query LIKE 'SELECT pg_catalog.pg_try_advisory_lock%'";
    let mut waiting = 0_i64;
    while waiting < 2 {
        waiting = server.fetch_one(sessions).await.unwrap().get(0);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    slow::GO_ON.add_permits(1);
    migrating.await.unwrap().unwrap();
    let removed = &kitchen;
    let claim = &claim;
    eventually("the removal", || async move {
        removed.database.remove(&id("acme"), claim.as_ref()).await.is_ok()
    })
    .await;
    // Whichever came first, nothing was made in `public`.
    match late.await.unwrap() {
        Ok(_) | Err(DatabaseError::Missing { .. }) => {}
        Err(other) => panic!("{other}"),
    }
    let later = other.migrate_tenant(&id("acme"), &[Migrations::of::<Shelf>("late")]).await;
    assert!(matches!(later, Err(DatabaseError::Missing { .. })), "{later:?}");
    let made = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'cake'";
    assert_eq!(server.fetch_one(made).await.unwrap().get::<i64, _>(0), 0);
}

/// However busy the server is: that its answer takes longer than the limit does not mean that somebody has the lock.
#[tokio::test]
async fn a_removal_without_any_time_asks_whether_somebody_changes_the_schema() {
    let kitchen = Kitchen::with(|settings| settings.drain_timeout = Duration::ZERO).await;
    kitchen.database.provision(&id("acme")).await.unwrap();
    let mut changes = kitchen.beside().await;
    let lock = crate::db::postgres::schema::lock_key(crate::db::postgres::target::Target::Tenant(id("acme")));
    let text = |what| sqlx::AssertSqlSafe(format!("SELECT {what}({lock})"));
    changes.execute(text("pg_advisory_lock")).await.unwrap();
    let used = kitchen.database.remove(&id("acme"), &()).await;
    assert!(matches!(used, Err(DatabaseError::StillUsed { .. })), "{used:?}");
    changes.execute(text("pg_advisory_unlock")).await.unwrap();
    kitchen.database.remove(&id("acme"), &()).await.unwrap();
    assert!(!kitchen.database.exists(&id("acme")).await.unwrap());
}
