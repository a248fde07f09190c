//! Files that are missing, odd, locked, removed, or left behind by a killed process.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement, TransactionTrait};
use tempfile::TempDir;

use super::{Kitchen, TABLES, bake, cake, count, eventually, id, settings};
use crate::db::{Database, DatabaseError, DatabaseSettings, OpenMode};
use crate::tenancy::Tenant;

impl Kitchen {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("data/tenants").join(name)
    }

    async fn error(&self, tenant: &str) -> DatabaseError {
        let error = self.handle(tenant).execute_unprepared("SELECT 1").await.unwrap_err();
        DatabaseError::find_in(&error).unwrap().clone()
    }
}

#[tokio::test]
async fn a_tenant_without_a_file_is_an_error_and_nothing_is_made() {
    let kitchen = Kitchen::new().await;
    kitchen.database.shared().execute_unprepared(TABLES).await.unwrap();
    let ghost = kitchen.handle("ghost");
    assert!(matches!(kitchen.error("ghost").await, DatabaseError::Missing { .. }));
    assert!(cake::Entity::find().all(&ghost).await.is_err(), "it must not read the shared tables");
    assert!(ghost.begin().await.is_err());
    assert!(cake::Entity::find().stream(&ghost).await.is_err());
    assert!(!kitchen.database.exists(&id("ghost")).await.unwrap());
    assert_eq!(std::fs::read_dir(kitchen.path("")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_link_or_a_file_of_another_origin_is_not_used() {
    let kitchen = Kitchen::new().await;
    bake(&kitchen.tenant("acme").await, "secret").await;
    std::os::unix::fs::symlink(kitchen.path("acme.db"), kitchen.path("soft.db")).unwrap();
    std::fs::create_dir(kitchen.path("folder.db")).unwrap();
    std::fs::write(kitchen.path("empty.db"), "").unwrap();
    for tenant in ["soft", "folder", "empty"] {
        let error = kitchen.error(tenant).await;
        assert!(matches!(error, DatabaseError::Odd { .. }), "{tenant}: {error}");
        assert!(!error.to_string().contains("acme"), "{error}");
    }
    std::fs::write(
        kitchen.path("text.db"),
        "this is no database, but it is long enough to be taken for one".repeat(99),
    )
    .unwrap();
    assert!(!matches!(kitchen.error("text").await, DatabaseError::Missing { .. }));
    std::os::unix::fs::symlink("acme.db-wal", kitchen.path("side.db-wal")).unwrap();
    std::fs::write(kitchen.path("side.db"), "").unwrap();
    assert!(matches!(
        kitchen.error("side").await,
        DatabaseError::Odd { problem: "it is a symbolic link", .. }
    ));
    for tenant in ["soft", "folder", "side"] {
        assert!(kitchen.database.provision(&id(tenant)).await.is_err(), "{tenant}");
    }
    // A second name of a file that nobody has open.
    kitchen.database.provision(&id("one")).await.unwrap();
    std::fs::hard_link(kitchen.path("one.db"), kitchen.path("two.db")).unwrap();
    assert!(matches!(kitchen.error("two").await, DatabaseError::Odd { .. }));
    let listed = kitchen.database.tenants_on_disk().await.unwrap();
    assert!(listed.contains(&id("acme")) && !listed.contains(&id("soft")) && !listed.contains(&id("folder")));
}

#[tokio::test]
async fn making_a_tenant_that_was_cut_short_is_finished_by_making_it_again() {
    let kitchen = Kitchen::new().await;
    std::fs::write(kitchen.path("acme.db"), "").unwrap();
    std::fs::write(kitchen.path("stray.db-wal"), "left behind").unwrap();
    assert!(matches!(kitchen.error("acme").await, DatabaseError::Odd { .. }));
    for _ in 0..2 {
        kitchen.database.provision(&id("acme")).await.unwrap();
        kitchen.database.provision(&id("stray")).await.unwrap();
    }
    bake(&kitchen.tenant("acme").await, "pie").await;
    kitchen.tenant("stray").await;
    assert_eq!(kitchen.database.tenants_on_disk().await.unwrap(), [id("acme"), id("stray")]);
}

#[tokio::test]
async fn the_settings_of_a_connection_are_those_that_are_promised() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    for (text, wanted) in [
        ("SELECT journal_mode FROM pragma_journal_mode", "wal"),
        ("SELECT cast(synchronous AS text) FROM pragma_synchronous", "2"),
        ("SELECT cast(foreign_keys AS text) FROM pragma_foreign_keys", "1"),
        ("SELECT cast(timeout AS text) FROM pragma_busy_timeout", "5000"),
    ] {
        let row = acme.query_one_raw(Statement::from_string(DbBackend::Sqlite, text)).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<String>(0).unwrap(), wanted, "{text}");
    }
}

#[tokio::test]
async fn a_server_needs_the_driver_that_is_built_in() {
    let said = DatabaseError::NotBuilt.to_string();
    assert!(said.contains("services.database.url") && said.contains("features = [\"postgres\"]"), "{said}");
    #[cfg(not(feature = "postgres"))]
    {
        let server = DatabaseSettings::new("postgres://u:secret@h/d", std::path::Path::new("/")).unwrap();
        let refused = Database::open(server).await.unwrap_err();
        assert!(matches!(refused, DatabaseError::NotBuilt), "{refused}");
    }
}

#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let kitchen = Kitchen::new().await;
    bake(&kitchen.tenant("acme").await, "pie").await;
    for name in ["", "../shared.db", "../shared.db-wal", "acme.db", "acme.db-wal", "acme.db-shm"] {
        let mode = std::fs::metadata(kitchen.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[tokio::test]
async fn a_second_process_that_serves_is_refused_and_one_beside_is_not() {
    let kitchen = Kitchen::new().await;
    let second = Database::open(settings(&kitchen.folder)).await.unwrap_err();
    let DatabaseError::Served { process, .. } = &second else { panic!("{second}") };
    assert_eq!(*process, Some(std::process::id()));
    let mut beside = settings(&kitchen.folder);
    beside.mode = OpenMode::Beside;
    let beside = Database::open(beside).await.unwrap();
    beside.provision(&id("acme")).await.unwrap();
    assert_eq!(beside.tenants_on_disk().await.unwrap(), [id("acme")]);
    assert!(kitchen.database.exists(&id("acme")).await.unwrap());
    assert!(matches!(beside.remove(&id("acme"), &()).await, Err(DatabaseError::Served { .. })));
    kitchen.database.close().await;
    beside.remove(&id("acme"), &()).await.unwrap();
    Database::open(settings(&kitchen.folder)).await.unwrap();
}

#[tokio::test]
async fn a_table_that_another_process_makes_hides_the_shared_one_before_long() {
    let kitchen = Kitchen::new().await;
    kitchen.database.shared().execute_unprepared(TABLES).await.unwrap();
    bake(&kitchen.database.shared(), "everybodys").await;
    kitchen.database.provision(&id("acme")).await.unwrap();
    let acme = kitchen.handle("acme");
    assert_eq!(count(&acme).await, 1);
    let mut beside = settings(&kitchen.folder);
    beside.mode = OpenMode::Beside;
    let beside = Database::open(beside).await.unwrap().tenant(&Tenant::admit(id("acme"), 0));
    beside.execute_unprepared(TABLES).await.unwrap();
    eventually("seeing the own table", || async { count(&acme).await == 0 }).await;
}

#[tokio::test]
async fn removing_waits_for_users_refuses_new_ones_and_leaves_nothing() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    let held = acme.begin().await.unwrap();
    bake(&held, "pie").await;
    let target = id("acme");
    let mut removing = Box::pin(kitchen.database.remove(&target, &()));
    assert!(super::waits(&mut removing).await);
    assert!(matches!(kitchen.error("acme").await, DatabaseError::Removing { .. }));
    held.commit().await.unwrap();
    removing.await.unwrap();
    assert!(matches!(kitchen.error("acme").await, DatabaseError::Missing { .. }));
    assert_eq!(std::fs::read_dir(kitchen.path("")).unwrap().count(), 0);
    kitchen.database.remove(&target, &()).await.unwrap();
    let again = kitchen.tenant("acme").await;
    assert_eq!(count(&again).await, 0);
    assert_eq!(count(&acme).await, 0, "a handle from before works on what there is now");
}

#[tokio::test]
async fn a_tenant_that_stays_in_use_is_not_removed_and_goes_on() {
    let kitchen = Kitchen::with(|settings| settings.drain_timeout = Duration::from_millis(50)).await;
    let acme = kitchen.tenant("acme").await;
    let held = acme.begin().await.unwrap();
    let error = kitchen.database.remove(&id("acme"), &()).await.unwrap_err();
    assert!(matches!(error, DatabaseError::StillUsed { .. }), "{error}");
    bake(&held, "pie").await;
    held.commit().await.unwrap();
    assert_eq!(count(&acme).await, 1);
}

#[tokio::test]
async fn closing_leaves_one_file_per_database_and_refuses_everything_after() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    bake(&acme, "pie").await;
    kitchen.database.close().await;
    assert!(matches!(kitchen.error("acme").await, DatabaseError::Closed));
    assert!(kitchen.database.shared().execute_unprepared("SELECT 1").await.is_err());
    let left: Vec<_> = std::fs::read_dir(kitchen.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["acme.db"]);
    kitchen.database.close().await;
}

#[tokio::test]
async fn an_address_is_a_folder_or_an_error_that_shows_no_password() {
    for bad in [
        "sqlite::memory:",
        "sqlite://",
        "sqlite://:memory:",
        "mysql://u:secret@host/db",
        "data",
        "sqlite://a?mode=ro",
    ] {
        let error = DatabaseSettings::new(bad, std::path::Path::new("/")).unwrap_err().to_string();
        assert!(error.contains("sqlite://FOLDER") && !error.contains("secret"), "{error}");
    }
    let settings = DatabaseSettings::new("sqlite://data", std::path::Path::new("/srv/shop")).unwrap();
    assert_eq!(settings.folder, std::path::Path::new("/srv/shop/data"));
}

#[tokio::test]
async fn a_folder_with_odd_letters_works() {
    let folder = TempDir::new().unwrap();
    let mut odd = settings(&folder);
    odd.folder = folder.path().join("it's 100% ä?#&;data");
    let database = Database::open(odd).await.unwrap();
    database.shared().execute_unprepared(TABLES).await.unwrap();
    bake(&database.shared(), "pie").await;
    database.provision(&id("acme")).await.unwrap();
    assert_eq!(count(&database.tenant(&Tenant::admit(id("acme"), 0))).await, 1);
}

const CHILD: &str = "XCORE_TEST_DATA_FOLDER";

/// Not a test of its own: the process that is killed by the next one.
#[tokio::test]
async fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let settings = DatabaseSettings::new("sqlite://data", folder.as_ref()).unwrap();
    let database = Database::open(settings).await.unwrap();
    database.provision(&id("acme")).await.unwrap();
    let acme = database.tenant(&Tenant::admit(id("acme"), 0));
    acme.execute_unprepared(TABLES).await.unwrap();
    for n in 0.. {
        let transaction = acme.begin().await.unwrap();
        let cake = bake(&transaction, &n.to_string()).await;
        transaction.commit().await.unwrap();
        println!("acknowledged {}", cake.id);
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = TempDir::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["writes_until_it_is_killed", "--nocapture", "--test-threads=1"])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut last = 0;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while last < 200 {
        let line = lines.next().expect("the child goes on writing").unwrap();
        if let Some(id) = line.rsplit_once("acknowledged ").and_then(|(_, id)| id.parse::<u64>().ok()) {
            last = id;
        }
    }
    child.kill().unwrap();
    for line in lines.map_while(Result::ok) {
        last = line.strip_prefix("acknowledged ").and_then(|id| id.parse().ok()).unwrap_or(last);
    }
    child.wait().unwrap();
    let database = Database::open(settings(&folder)).await.unwrap();
    let there = count(&database.tenant(&Tenant::admit(id("acme"), 0))).await;
    assert!(there >= last, "{last} were acknowledged, {there} are there");
}
