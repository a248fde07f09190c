//! What the directory keeps of tenants in its table.

use tempfile::TempDir;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

use super::super::directory_migrations::{DirectoryMigrator, first};
use super::*;
use crate::db::{Database, DatabaseSettings, Migrations};
use crate::tenancy::ProfileChange;

pub(in crate::app) async fn table() -> (DirectoryTable, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let settings = DatabaseSettings::new("sqlite://data", folder.path()).unwrap();
    let database = Database::open(settings).await.unwrap();
    database.migrate_directory(&[Migrations::of::<DirectoryMigrator>("xcore")]).await.unwrap();
    (DirectoryTable::new(database.directory()), folder)
}

#[tokio::test]
async fn a_tenant_is_moved_and_removed_in_the_life_that_is_meant_only() {
    use State::{Active, Deleting, Provisioning};
    let (table, _folder) = table().await;
    let acme = TenantId::parse("acme").unwrap();
    let insert = async || {
        table.insert(&acme, &[]).await.unwrap();
        table.find(&acme).await.unwrap().unwrap().life
    };
    let first = insert().await;
    assert!(matches!(table.insert(&acme, &[]).await, Err(StoreError::Exists { .. })));
    assert!(table.advance(&acme, first, Provisioning, Deleting).await.unwrap());
    table.remove(&acme, first).await.unwrap();
    let second = insert().await;
    assert_ne!(first, second);

    let state = async || table.find(&acme).await.unwrap().unwrap().state;
    assert!(!table.advance(&acme, first, Provisioning, Active).await.unwrap());
    assert_eq!(state().await, Provisioning, "the creation of the first is not that of the second");
    assert!(table.advance(&acme, second, Provisioning, Active).await.unwrap());
    assert!(!table.advance(&acme, first, Active, Deleting).await.unwrap());
    assert!(!table.advance(&acme, second, Provisioning, Deleting).await.unwrap());
    assert_eq!(state().await, Active);
    let illegal = table.advance(&acme, second, Active, Provisioning).await;
    assert!(matches!(illegal, Err(StoreError::Illegal { .. })), "{illegal:?}");
    let suspend = async |life, why| {
        table.advance_because(&acme, life, Active, State::Suspended, Some(why)).await.unwrap()
    };
    assert!(!suspend(first, "the first").await && suspend(second, "the second").await);
    let record = table.find(&acme).await.unwrap().unwrap();
    assert_eq!((record.state, record.reason.as_deref()), (State::Suspended, Some("the second")));
    assert!(table.advance(&acme, second, State::Suspended, Active).await.unwrap());
    assert_eq!(table.find(&acme).await.unwrap().unwrap().reason, None);
    assert!(table.advance(&acme, second, Active, Deleting).await.unwrap());
    table.remove(&acme, first).await.unwrap();
    assert_eq!(state().await, Deleting);
}

#[tokio::test]
async fn a_tenant_is_placed_where_the_least_are() {
    let (table, _folder) = table().await;
    let [eu, us, asia] = ["eu", "us", "asia"].map(Arc::<str>::from);
    let all = [eu.clone(), us.clone(), asia.clone()];
    let place = async |name: &str, servers: &[Arc<str>]| {
        let id = TenantId::parse(name).unwrap();
        table.insert(&id, servers).await.unwrap();
        table.find(&id).await.unwrap().unwrap().server
    };
    // Before there were several.
    assert_eq!(place("first", &[]).await, None);
    assert_eq!(place("a", &all).await, Some(us.clone()), "the first server has one already");
    assert_eq!(place("b", &all).await, Some(asia.clone()));
    assert_eq!(place("c", &all).await, Some(eu.clone()), "of equals the first");
    assert_eq!(place("d", std::slice::from_ref(&us)).await, Some(us.clone()), "named");
    assert_eq!(place("e", &all).await, Some(asia.clone()));
    let acme = TenantId::parse("a").unwrap();
    let life = table.find(&acme).await.unwrap().unwrap().life;
    table.advance(&acme, life, State::Provisioning, State::Deleting).await.unwrap();
    table.remove(&acme, life).await.unwrap();
    assert_eq!(place("f", &all).await, Some(us), "one has gone there");
}

#[tokio::test]
async fn tenants_created_at_once_are_spread_and_none_is_on_two_servers() {
    let (table, _folder) = table().await;
    let all = ["eu", "us"].map(Arc::<str>::from);
    let ids: Vec<TenantId> = (0..20).map(|n| TenantId::parse(&format!("t{}", n / 2)).unwrap()).collect();
    let made = futures_util::future::join_all(ids.iter().map(|id| table.insert(id, &all))).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 10);
    let records = table.list().await.unwrap();
    let on = |name: &str| records.iter().filter(|record| record.server.as_deref() == Some(name)).count();
    assert_eq!((records.len(), on("eu"), on("us")), (10, 5, 5));
}

#[tokio::test]
async fn of_changes_of_a_profile_at_once_none_is_lost_and_of_one_that_is_refused_nothing_is_kept() {
    let (table, _folder) = table().await;
    let acme = TenantId::parse("acme").unwrap();
    table.insert(&acme, &[]).await.unwrap();
    let before = table.revision().await.unwrap();
    let changes: Vec<ProfileChange> =
        (0..20).map(|n| ProfileChange::new().metadata(format!("m{n}"), n).setting("same", n)).collect();
    let alters: Vec<_> = changes.iter().map(|change| |profile: &mut _| change.apply(profile)).collect();
    let made = futures_util::future::join_all(alters.iter().map(|alter| table.change(&acme, alter))).await;
    assert!(made.into_iter().all(|made| made.is_ok()));
    let record = table.find(&acme).await.unwrap().unwrap();
    assert_eq!((record.profile.metadata.len(), record.profile.settings.len()), (20, 1));
    let after = table.revision().await.unwrap();
    assert_eq!(after, before + 20, "each was told to the others");
    let large = ProfileChange::new().plan(Some("pro")).metadata("large", "x".repeat(20_000));
    let refused = table.change(&acme, &|profile| large.apply(profile)).await;
    assert!(matches!(refused, Err(StoreError::Profile { .. })), "{refused:?}");
    assert_eq!(table.find(&acme).await.unwrap().unwrap(), record);
    assert_eq!(table.revision().await.unwrap(), after);
    let times = record.times.unwrap();
    assert!(times.created <= times.since && times.since <= times.updated);
}

#[tokio::test]
async fn tenants_of_an_older_directory_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let settings = DatabaseSettings::new("sqlite://data", folder.path()).unwrap();
    let database = Database::open(settings).await.unwrap();
    struct Older;
    impl MigratorTrait for Older {
        fn migrations() -> Vec<Box<dyn MigrationTrait>> {
            vec![Box::new(first::Tables)]
        }
    }
    database.migrate_directory(&[Migrations::of::<Older>("xcore")]).await.unwrap();
    let old = "INSERT INTO xcore_tenants (id, state, life, created_at, updated_at) VALUES ('acme', 'active', 1, 5, 7)";
    database.directory().execute_unprepared(old).await.unwrap();
    database.migrate_directory(&[Migrations::of::<DirectoryMigrator>("xcore")]).await.unwrap();
    let table = DirectoryTable::new(database.directory());
    let [acme] = &table.list().await.unwrap()[..] else { panic!("one tenant") };
    let times = acme.times.unwrap();
    assert_eq!((acme.state, times.since.timestamp(), times.updated.timestamp()), (State::Active, 5, 7));
    assert_eq!(acme.profile, crate::tenancy::Profile::default());
}
