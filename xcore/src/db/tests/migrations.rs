//! Migrations per plugin, into each database.
#![allow(elided_lifetimes_in_paths)] // `async_trait` wants the lifetimes of `up` written as SeaORM's trait writes them

use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::prelude::*;

use super::{Kitchen, id, settings};
use crate::db::{Database, DatabaseError, Migrations, OpenMode};

/// A migration made of a text.
struct Text(&'static str, &'static str, Option<bool>);

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
        struct $name;
        impl MigratorTrait for $name {
            fn migrations() -> Vec<Box<dyn MigrationTrait>> {
                vec![$(Box::new($migration)),*]
            }
        }
    };
}

migrator!(Orders: Text("m1", "CREATE TABLE orders (id)", None), Text("m2", "INSERT INTO orders VALUES (1)", None));
migrator!(Billing: Text("m1", "CREATE TABLE bills (id)", None));
migrator!(NoTransaction: Text("m1", "CREATE TABLE a (id); INSERT INTO a VALUES (1)", Some(false)));

async fn rows(kitchen: &Kitchen, tenant: &str, table: &str) -> Result<i64, DbErr> {
    let text = format!("SELECT count(*) FROM main.{table}");
    let row = kitchen.handle(tenant).query_one_raw(Statement::from_string(DbBackend::Sqlite, text)).await?;
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
    assert_eq!(
        (report.plugins[0].plugin, report.plugins[0].names.as_slice()),
        ("orders", &["m1".to_owned(), "m2".to_owned()][..])
    );
    assert!(kitchen.database.migrate_tenant(&id("acme"), &plugins).await.unwrap().is_empty());
    assert!(kitchen.database.pending_tenant(&id("acme"), &plugins).await.unwrap().is_empty());
    assert_eq!(rows(&kitchen, "acme", "orders").await.unwrap(), 1);
    assert_eq!(rows(&kitchen, "acme", "xcore_migrations_orders").await.unwrap(), 2);
    assert!(rows(&kitchen, "globex", "orders").await.is_err());
    let missing = kitchen.database.migrate_tenant(&id("ghost"), &plugins).await;
    assert!(matches!(missing, Err(DatabaseError::Missing { .. })), "{missing:?}");
}

#[tokio::test]
async fn what_the_shared_database_has_does_not_count_for_a_tenant() {
    let kitchen = Kitchen::new().await;
    let orders = [Migrations::of::<Orders>("orders")];
    assert_eq!(kitchen.database.pending_shared(&orders).await.unwrap().count(), 2);
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
        manager.get_connection().execute_unprepared("CREATE TABLE half (id)").await?;
        if MENDED.load(Ordering::Relaxed) { Ok(()) } else { Err(DbErr::Custom("not yet".into())) }
    }
}

migrator!(Breaking: Text("m1", "CREATE TABLE first (id)", None), Breaks, Text("m3", "CREATE TABLE last (id)", None));

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
async fn two_that_migrate_the_same_database_at_once_do_not_both_apply() {
    for plugins in [[Migrations::of::<Orders>("orders")], [Migrations::of::<NoTransaction>("orders")]] {
        let kitchen = Kitchen::new().await;
        kitchen.database.provision(&id("acme")).await.unwrap();
        // Another service on the same folder stands for another process: they share nothing but the files.
        let mut beside = settings(&kitchen.folder);
        beside.mode = OpenMode::Beside;
        let beside = Database::open(beside).await.unwrap();
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

struct Looks;

impl MigrationName for Looks {
    fn name(&self) -> &str {
        "m1"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Looks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        assert!(!manager.has_table("orders").await?, "only the tenant's own tables are looked at");
        assert!(!manager.has_index("orders", "by_id").await?);
        // It may read the shared tables, and make its own of the same name.
        let text = "CREATE TABLE IF NOT EXISTS orders (id, extra); INSERT INTO orders (id) SELECT id FROM shared.orders";
        manager.get_connection().execute_unprepared(text).await?;
        assert!(manager.has_table("orders").await? && manager.has_column("orders", "extra").await?);
        Ok(())
    }
}

migrator!(Looking: Looks);

#[tokio::test]
async fn a_migration_sees_the_names_that_a_handle_sees() {
    let kitchen = Kitchen::new().await;
    kitchen.database.migrate_shared(&[Migrations::of::<Orders>("orders")]).await.unwrap();
    kitchen.database.shared().execute_unprepared("CREATE INDEX by_id ON orders (id)").await.unwrap();
    kitchen.database.provision(&id("acme")).await.unwrap();
    let acme = kitchen.handle("acme");
    let all = || Statement::from_string(DbBackend::Sqlite, "SELECT * FROM orders");
    assert_eq!(acme.query_all_raw(all()).await.unwrap().len(), 1);
    kitchen.database.migrate_tenant(&id("acme"), &[Migrations::of::<Looking>("orders")]).await.unwrap();
    acme.execute_unprepared("DELETE FROM orders").await.unwrap();
    assert!(acme.query_all_raw(all()).await.unwrap().is_empty(), "connections from before see the new table");
}

migrator!(Attaching: Text("m1", "CREATE TABLE mine (id); ATTACH ':memory:' AS other", None));
migrator!(Spying: Text("m1", "PRAGMA foreign_keys = OFF; CREATE TEMP TABLE spy (id)", Some(false)));

#[tokio::test]
async fn a_migration_that_attaches_a_database_is_rolled_back_and_what_one_does_to_its_session_ends() {
    let kitchen = Kitchen::new().await;
    kitchen.database.provision(&id("acme")).await.unwrap();
    let attached =
        kitchen.database.migrate_tenant(&id("acme"), &[Migrations::of::<Attaching>("orders")]).await;
    assert!(matches!(attached, Err(DatabaseError::MigrationAttached { .. })), "{attached:?}");
    assert!(rows(&kitchen, "acme", "mine").await.is_err());
    kitchen.database.migrate_tenant(&id("acme"), &[Migrations::of::<Spying>("spy")]).await.unwrap();
    let keys = Statement::from_string(DbBackend::Sqlite, "SELECT foreign_keys FROM pragma_foreign_keys");
    let row = kitchen.handle("acme").query_one_raw(keys).await.unwrap().unwrap();
    assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), 1);
}
