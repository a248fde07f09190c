//! Migrations per plugin, into each schema.
#![allow(elided_lifetimes_in_paths)] // `async_trait` wants the lifetimes of `up` written as SeaORM's trait writes them

use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::prelude::*;

use super::{Kitchen, id};
use crate::db::{Database, DatabaseError, Migrations};

/// A migration made of a text.
pub(super) struct Text(pub(super) &'static str, pub(super) &'static str, pub(super) Option<bool>);

impl MigrationName for Text {
    fn name(&self) -> &str {
        self.0
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Text {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(self.1).await.map(drop)
    }

    fn use_transaction(&self) -> Option<bool> {
        self.2
    }
}

macro_rules! migrator {
    ($name:ident: $($migration:expr),*) => {
        pub(super) struct $name;
        impl MigratorTrait for $name {
            fn migrations() -> Vec<Box<dyn MigrationTrait>> {
                vec![$(Box::new($migration)),*]
            }
        }
    };
}

pub(super) use migrator;

migrator!(Orders: Text("m1", "CREATE TABLE orders (id int)", None), Text("m2", "INSERT INTO orders VALUES (1)", None));
migrator!(Billing: Text("m1", "CREATE TABLE bills (id int)", None));
migrator!(NoTransaction: Text("m1", "CREATE TABLE a (id int)", Some(false)), Text("m2", "CREATE INDEX CONCURRENTLY ON a (id)", Some(false)));
migrator!(Sleeping: Text("m1", "SELECT pg_sleep(0.4)", None));
migrator!(Wandering: Text("m1", "SET search_path TO public", None), Text("m2", "CREATE TABLE stays (id int)", None));

async fn rows(kitchen: &Kitchen, schema: &str, table: &str) -> Result<i64, DbErr> {
    let text = format!("SELECT count(*) FROM \"{schema}\".{table}");
    let row =
        kitchen.handle("public").query_one_raw(Statement::from_string(DbBackend::Postgres, text)).await?;
    row.unwrap().try_get_by_index(0)
}

#[tokio::test]
async fn each_plugin_is_applied_once_to_each_tenant_and_reported() {
    let kitchen = Kitchen::new().await;
    let plugins = [Migrations::of::<Orders>("orders"), Migrations::of::<Billing>("billing")];
    for tenant in ["acme", "globex"] {
        kitchen.database.provision(&id(tenant)).await.unwrap();
    }
    let pending = kitchen.database.pending_tenant(&id("acme"), &plugins).await.unwrap();
    assert_eq!(pending.count(), 3);
    assert!(rows(&kitchen, "acme", "xcore_migrations_orders").await.is_err(), "a dry run changes nothing");

    let report = kitchen.database.migrate_tenant(&id("acme"), &plugins).await.unwrap();
    assert_eq!(report, pending);
    assert!(kitchen.database.migrate_tenant(&id("acme"), &plugins).await.unwrap().is_empty());
    assert!(kitchen.database.pending_tenant(&id("acme"), &plugins).await.unwrap().is_empty());
    assert_eq!(rows(&kitchen, "acme", "orders").await.unwrap(), 1);
    assert_eq!(rows(&kitchen, "acme", "xcore_migrations_orders").await.unwrap(), 2);
    assert!(rows(&kitchen, "globex", "orders").await.is_err());
    let missing = kitchen.database.migrate_tenant(&id("ghost"), &plugins).await;
    assert!(matches!(missing, Err(DatabaseError::Missing { .. })), "{missing:?}");
    let missing = kitchen.database.pending_tenant(&id("ghost"), &plugins).await;
    assert!(matches!(missing, Err(DatabaseError::Missing { .. })), "{missing:?}");
}

#[tokio::test]
async fn what_the_shared_schema_has_does_not_count_for_a_tenant() {
    let kitchen = Kitchen::new().await;
    let orders = [Migrations::of::<Orders>("orders")];
    assert_eq!(kitchen.database.migrate_shared(&orders).await.unwrap().count(), 2);
    assert_eq!(
        kitchen
            .database
            .migrate_tenant(&id("public"), &[Migrations::of::<Billing>("orders")])
            .await
            .unwrap()
            .count(),
        1
    );
    kitchen.database.provision(&id("acme")).await.unwrap();
    assert_eq!(kitchen.database.pending_tenant(&id("acme"), &orders).await.unwrap().count(), 2);
    assert_eq!(kitchen.database.migrate_tenant(&id("acme"), &orders).await.unwrap().count(), 2);
    assert_eq!(rows(&kitchen, "acme", "orders").await.unwrap(), 1);
    assert_eq!(
        kitchen.database.migrate_directory(&[Migrations::of::<Billing>("xcore")]).await.unwrap().count(),
        1
    );
    assert_eq!(rows(&kitchen, "xcore_directory", "bills").await.unwrap(), 0);
}

static MENDED: AtomicBool = AtomicBool::new(false);

struct Breaks;

impl MigrationName for Breaks {
    fn name(&self) -> &str {
        "m2"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Breaks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("CREATE TABLE half (id int)").await?;
        if MENDED.load(Ordering::Relaxed) { Ok(()) } else { Err(DbErr::Custom("not yet".into())) }
    }
}

migrator!(Breaking: Text("m1", "CREATE TABLE first (id int)", None), Breaks, Text("m3", "CREATE TABLE last (id int)", None));

#[tokio::test]
async fn a_failed_migration_leaves_nothing_and_the_next_run_goes_on_with_it() {
    let kitchen = Kitchen::new().await;
    kitchen.database.provision(&id("acme")).await.unwrap();
    let plugins = [Migrations::of::<Breaking>("orders")];
    let failed = kitchen.database.migrate_tenant(&id("acme"), &plugins).await.unwrap_err();
    let DatabaseError::Migration { plugin: "orders", migration, .. } = &failed else { panic!("{failed}") };
    assert_eq!(migration, "m2");
    assert_eq!(rows(&kitchen, "acme", "first").await.unwrap(), 0);
    assert!(rows(&kitchen, "acme", "half").await.is_err());
    MENDED.store(true, Ordering::Relaxed);
    let report = kitchen.database.migrate_tenant(&id("acme"), &plugins).await.unwrap();
    assert_eq!(report.plugins[0].names, ["m2", "m3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_migrate_the_same_schema_at_once_do_not_both_apply() {
    for plugins in [[Migrations::of::<Orders>("orders")], [Migrations::of::<NoTransaction>("orders")]] {
        let kitchen = Kitchen::new().await;
        kitchen.database.provision(&id("acme")).await.unwrap();
        // Another service stands for another process: they share nothing but the server.
        let beside = Database::open(kitchen.settings.clone()).await.unwrap();
        let acme = id("acme");
        let (a, b, c) = tokio::join!(
            kitchen.database.migrate_tenant(&acme, &plugins),
            kitchen.database.migrate_tenant(&acme, &plugins),
            beside.migrate_tenant(&acme, &plugins),
        );
        let applied: usize = [a, b, c].into_iter().map(|report| report.unwrap().count()).sum();
        assert_eq!(applied, (plugins[0].list)().len());
    }
}

#[tokio::test]
async fn migrations_that_the_program_does_not_know_are_an_error() {
    let kitchen = Kitchen::new().await;
    kitchen.database.provision(&id("acme")).await.unwrap();
    kitchen.database.migrate_tenant(&id("acme"), &[Migrations::of::<Orders>("orders")]).await.unwrap();
    for result in [
        kitchen.database.migrate_tenant(&id("acme"), &[Migrations::of::<Billing>("orders")]).await,
        kitchen.database.pending_tenant(&id("acme"), &[Migrations::of::<Billing>("orders")]).await,
    ] {
        let Err(DatabaseError::UnknownMigrations { names, .. }) = result else { panic!("{result:?}") };
        assert_eq!(names, ["m2"]);
    }
}

#[tokio::test]
async fn a_migration_that_moves_its_session_moves_no_other() {
    let kitchen = Kitchen::new().await;
    kitchen.database.provision(&id("acme")).await.unwrap();
    kitchen.database.migrate_tenant(&id("acme"), &[Migrations::of::<Wandering>("orders")]).await.unwrap();
    assert_eq!(rows(&kitchen, "acme", "stays").await.unwrap(), 0);
    assert_eq!(rows(&kitchen, "acme", "xcore_migrations_orders").await.unwrap(), 2);
}
