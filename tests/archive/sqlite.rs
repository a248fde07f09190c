//! On SQLite.

use std::time::Duration;

use sea_orm::{ConnectionTrait, TransactionTrait};
use xcore::Instance;
use xcore::app::{ArchiveError, TenantError};
use xcore::db::DatabaseError;
use xcore::tenancy::ProfileChange;
use xcore_tests::Rig;
use xcore_tests::plugins::notes::{NotesContext, NotesJobs};

use crate::stage::{Stage, ask, id};

/// Every class of value in every kind of column, and keys that go round in a circle.
pub(crate) const ROWS: &str = r#"
INSERT INTO wide (anything, whole, floating, name, bytes, flag, stamp, exact, doc) VALUES
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('text', 9223372036854775807, 1e308, 'Ünïcödé 🦀 ' || char(10) || '\N' || char(9), x'00ff27', 1, '2026-01-01 00:00:00', '12.50', '{"a":[1]}'),
    (x'', -9223372036854775808, -0.1, '', x'', 'neither', 1.5, 123456789012345678, NULL),
    (1.0, 'no number', 'no number', x'80', 'text', 0, NULL, 0.1, '[]');
UPDATE wide SET parent = 5 - id WHERE id > 1;
DELETE FROM wide WHERE id = 4 AND parent = 99;
INSERT INTO wide (id, anything) VALUES (900, 'gone soon'); DELETE FROM wide WHERE id = 900;
INSERT INTO "odd ""name" ("select", "Ü") VALUES ('it''s', 'ä'), ('"', NULL);
INSERT INTO hen VALUES (1, NULL), (2, NULL); INSERT INTO egg VALUES (10, 2), (20, 1); UPDATE hen SET egg = 30 - 10 * id;
INSERT INTO seeded (id, text) VALUES (2, 'second');
UPDATE seeded SET text = 'changed' WHERE id = 1;
INSERT INTO keyed VALUES ('a', 1), ('b', NULL);
INSERT INTO strict VALUES (1, 1), (2, '1'), (3, x'31'), (4, 1.5)
"#;

async fn context(app: &Instance, tenant: &str) -> NotesContext {
    Rig::notes_of(app, tenant).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_imported_is_what_was_exported_under_another_name_and_in_another_app() {
    let here = Stage::sqlite().await;
    here.run("acme", ROWS).await;
    let change = ProfileChange::new().plan(Some("pro")).metadata("region", "eu").setting("theme", "dark");
    here.app.tenants().change(&id("acme"), &change).await.unwrap();
    here.app.tenants().add_domain(&id("acme"), "acme.example.com").await.unwrap();
    here.app.tenants().create_key(&id("acme"), "").await.unwrap();
    let jobs = context(&here.app, "acme").await.scheduler;
    jobs.cron("tally", "0 0 3 * * *", NotesJobs::tally()).await.unwrap();
    jobs.every("asleep", Duration::from_secs(60), NotesJobs::tally()).await.unwrap();
    jobs.pause("asleep").await.unwrap();
    let (acme, globex) = (here.contents("acme").await, here.contents("globex").await);
    assert!(acme["wide"].contains("🦀") && acme["seeded"] != globex["seeded"], "{acme:?}");

    let file = here.export("acme").await;
    let there = Stage::sqlite().await;
    for (stage, name) in [(&here, "copied"), (&there, "moved")] {
        let done = stage.import(&file, name).await.unwrap();
        assert_eq!((done.tenant, done.jobs), (id(name), 2));
        assert_eq!(stage.contents(name).await, acme, "{name}");
        assert_eq!(stage.contents("globex").await, globex, "another tenant of {name}");
        assert_eq!(stage.status(name).await, 200);
        let record = stage.app.tenants().get(&id(name)).await.unwrap();
        assert_eq!(record.profile, here.app.tenants().get(&id("acme")).await.unwrap().profile);
        let jobs = context(&stage.app, name).await.scheduler;
        let listed: Vec<_> = jobs.list().await.unwrap().into_iter().filter(|job| !job.declared).collect();
        let listed: Vec<_> =
            listed.iter().map(|job| (job.id.as_str(), job.schedule.to_string(), job.paused)).collect();
        let expected =
            [("asleep", "every 60s".to_owned(), true), ("tally", "0 0 3 * * * UTC".to_owned(), false)];
        assert_eq!(listed, expected);
        // Neither comes along: both prove or name one tenant.
        assert!(stage.app.tenants().keys(&id(name)).await.unwrap().is_empty());
        let domains = stage.app.tenants().domains().await.unwrap();
        assert!(domains.iter().all(|domain| domain.tenant != id(name)), "{domains:?}");
    }
    assert_eq!(here.contents("acme").await, acme);
    assert_eq!(there.names().await, ["acme", "globex", "moved", "public"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_imported_tenant_works_like_the_one_that_it_was() {
    let stage = Stage::sqlite().await;
    stage.run("acme", ROWS).await;
    let file = stage.export("acme").await;
    stage.import(&file, "copied").await.unwrap();
    // Numbers go on where they were, also of rows that are gone.
    stage.run("copied", "INSERT INTO wide (whole) VALUES (21)").await;
    assert_eq!(
        stage
            .ask(
                "copied",
                "SELECT group_concat(id || ' ' || doubled || ' ' || next) FROM wide WHERE whole = 21"
            )
            .await,
        "901 42 22"
    );
    // What runs by itself has not run, and does again.
    assert_eq!(stage.ask("copied", "SELECT group_concat(what) FROM log").await, "second");
    stage.run("copied", "INSERT INTO seeded (id, text) VALUES (3, 'third')").await;
    assert_eq!(stage.ask("copied", "SELECT group_concat(what) FROM log").await, "second,third");
    let beside = stage.beside("copied").await;
    beside.execute_unprepared("PRAGMA foreign_keys = ON").await.unwrap();
    assert!(beside.execute_unprepared("INSERT INTO egg VALUES (99, 99)").await.is_err());
    // Its tables are those that the migrations make, or this would be refused.
    let again = stage.export("copied").await;
    assert!(std::fs::metadata(again).unwrap().len() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clone_is_a_copy_that_goes_its_own_way() {
    let stage = Stage::sqlite().await;
    stage.run("acme", ROWS).await;
    let change = ProfileChange::new().plan(Some("pro")).setting("theme", "dark");
    stage.app.tenants().change(&id("acme"), &change).await.unwrap();
    let acme = stage.contents("acme").await;
    let done = stage.app.tenants().clone_to(&id("acme"), &id("twin"), None).await.unwrap();
    assert_eq!((done.tenant, stage.contents("twin").await), (id("twin"), acme.clone()));
    assert_eq!(stage.app.tenants().get(&id("twin")).await.unwrap().profile.plan.as_deref(), Some("pro"));
    assert_eq!(stage.status("twin").await, 200);
    stage.run("twin", "DELETE FROM strict").await;
    assert_eq!(stage.contents("acme").await, acme);

    let taken = stage.app.tenants().clone_to(&id("acme"), &id("globex"), None).await;
    assert!(taken.unwrap_err().to_string().contains("directory"));
    assert!(stage.app.tenants().clone_to(&id("acme"), &id("public"), None).await.is_err());
    let shared = stage.app.tenants().clone_to(&id("public"), &id("more"), None).await;
    let refused =
        matches!(shared, Err(TenantError::Data { source: DatabaseError::NotTransferable { .. }, .. }));
    assert!(refused, "what all share is nobody's to copy");
    assert!(!stage.names().await.contains(&"more".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_meanwhile_is_in_an_archive_as_a_whole_or_not_at_all() {
    let stage = Stage::sqlite().await;
    // One row in each table, in one transaction.
    let context = context(&stage.app, "acme").await;
    let writing = tokio::spawn(async move {
        for number in 0_u64.. {
            let both = context.db.begin().await.unwrap();
            both.execute_unprepared(&format!("INSERT INTO keyed VALUES ('{number}', 1)")).await.unwrap();
            both.execute_unprepared(&format!("INSERT INTO strict VALUES ({number}, 1)")).await.unwrap();
            both.commit().await.unwrap();
        }
    });
    let mut counts = Vec::new();
    for number in 0..6 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let file = stage.file(&format!("{number}.tar"));
        stage.app.tenants().export(&id("acme"), &file).await.unwrap();
        let name = format!("copy{number}");
        stage.import(&file, &name).await.unwrap();
        let both = stage
            .ask(&name, "SELECT (SELECT count(*) FROM keyed) || ' ' || (SELECT count(*) FROM strict)")
            .await;
        let (one, other) = both.split_once(' ').unwrap();
        assert_eq!(one, other);
        counts.push(one.parse::<u64>().unwrap());
    }
    writing.abort();
    assert!(
        counts.is_sorted() && counts.first() < counts.last(),
        "nothing was written meanwhile: {counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_whose_rows_would_have_no_place_is_not_exported() {
    let stage = Stage::sqlite().await;
    let to = stage.file("none.tar");
    stage.run("acme", "CREATE TABLE more (id INTEGER)").await;
    let refused = stage.app.tenants().export(&id("acme"), &to).await.unwrap_err();
    assert!(matches!(&refused, TenantError::Archive { source: ArchiveError::Differs { .. } }), "{refused:?}");
    assert!(refused.to_string().contains("table more is there"), "{refused}");
    stage.run("globex", "CREATE VIRTUAL TABLE search USING fts5(text)").await;
    assert!(stage.app.tenants().export(&id("globex"), &to).await.is_err());
    assert!(!to.exists());
    // An index is no place for rows.
    stage.run("acme", "DROP TABLE more; CREATE INDEX of_strict ON strict (value)").await;
    stage.app.tenants().export(&id("acme"), &to).await.unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&to).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // Nothing is overwritten, and nothing else is left.
    let again = stage.app.tenants().export(&id("acme"), &to).await.unwrap_err();
    assert!(matches!(again, TenantError::Archive { source: ArchiveError::FileExists { .. } }), "{again:?}");
    let files = std::fs::read_dir(to.parent().unwrap()).unwrap();
    let parts = files.flatten().filter(|file| file.file_name().to_string_lossy().ends_with(".part"));
    assert_eq!(parts.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_whole_tenants_are_copied_and_a_suspended_one_is_whole() {
    let stage = Stage::sqlite().await;
    stage.run("acme", ROWS).await;
    let acme = stage.contents("acme").await;
    stage.app.tenants().suspend(&id("acme"), Some("unpaid")).await.unwrap();
    let file = stage.export("acme").await;
    stage.import(&file, "again").await.unwrap();
    assert_eq!((stage.contents("again").await, stage.status("again").await), (acme, 200));
    let beside = stage.directory().await;
    beside.execute_unprepared("UPDATE xcore_tenants SET state = 'failed' WHERE id = 'again'").await.unwrap();
    let refused = stage.app.tenants().export(&id("again"), &stage.file("x")).await.unwrap_err();
    assert!(refused.to_string().contains("is failed; only one that is active or suspended"), "{refused}");
    assert_eq!(ask(&beside, "SELECT state FROM xcore_tenants WHERE id = 'again'").await, ["failed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_larger_than_what_travels_at_once_arrive() {
    let stage = Stage::sqlite().await;
    let large = "INSERT INTO strict VALUES (1, 'x'), (2, randomblob(5000000)), (3, NULL), (4, zeroblob(3000000)), (5, randomblob(2000000)), (6, 7)";
    stage.run("acme", large).await;
    let file = stage.export("acme").await;
    stage.import(&file, "copied").await.unwrap();
    assert!(stage.contents("copied").await == stage.contents("acme").await, "too large to print");
}
