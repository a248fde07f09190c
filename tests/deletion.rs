//! Tenants that are deleted and restored, or dropped when their time is over.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xcore::app::TenantError;
use xcore::prelude::*;
use xcore::tenancy::{State, StoreError};
use xcore::{Instance, TenantId};
#[cfg(feature = "postgres")]
use xcore_tests::PostgresServer;
use xcore_tests::Rig;
use xcore_tests::plugins::notes::{NotesJobs, note};

fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// Asks again and again until the claim holds.
async fn eventually(claim: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {claim}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn status(app: &Instance, tenant: &str) -> u16 {
    Rig::get_from(app, tenant, "/v1/notes").await.status
}

/// An app in a folder that outlasts it, with some keys set over `xcore.yaml`.
async fn start(folder: &Path, keys: &[(&str, &str)]) -> Instance {
    let builder = Rig::builder()
        .set("services.database.url", format!("sqlite://{}", folder.join("data").display()))
        .set("plugins.probe.config.folder", folder.display().to_string());
    keys.iter().fold(builder, |builder, (key, value)| builder.set(key, *value)).build().await.unwrap()
}

/// How often the hooks of the probe have said this.
fn said(folder: &Path, line: &str) -> usize {
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    log.lines().filter(|said| *said == line).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_tenant_is_unknown_to_clients_and_has_all_it_had_when_it_is_restored() {
    let rig = Rig::start().await;
    let tenants = rig.app().instance().tenants();
    let written = rig.post("acme", "/v1/notes", json!({ "text": "kept" })).await;
    assert_eq!(written.status, 201);
    rig.notes("acme").await.cache.set("still", "here").await.unwrap();
    tenants.add_domain(&id("acme"), "acme.test").await.unwrap();
    tenants.create_key(&id("acme"), "kept").await.unwrap();

    let until = tenants.delete(&id("acme")).await.unwrap().expect("it can be restored");
    let week = (until - chrono_now()).num_hours();
    assert!((167..=168).contains(&week), "{until}");
    let unknown = rig.get("nobody", "/v1/notes").await;
    let deleted = rig.get("acme", "/v1/notes").await;
    assert_eq!((deleted.status, deleted.text()), (404, unknown.text()));
    assert!(rig.app().call("echo", "whose", "acme", Value::Null).await.is_err());
    let record = tenants.get(&id("acme")).await.unwrap();
    assert_eq!((record.state, record.delete_after), (State::SoftDeleted, Some(until)));
    assert_eq!(tenants.delete(&id("acme")).await.unwrap(), Some(until), "the time stays what it was");
    for refused in [
        tenants.suspend(&id("acme"), None).await.unwrap_err(),
        tenants.resume(&id("acme")).await.unwrap_err(),
        tenants.create(&id("acme")).await.unwrap_err(),
    ] {
        assert!(matches!(refused, TenantError::Directory { .. }), "{refused:?}");
    }
    let taken = tenants.create(&id("acme")).await.unwrap_err();
    let said = std::error::Error::source(&taken).unwrap().to_string();
    assert!(said.contains("tenant restore acme") && said.contains("tenant purge acme"), "{said}");

    tenants.restore(&id("acme")).await.unwrap();
    let notes = rig.get("acme", "/v1/notes").await;
    assert_eq!((notes.status, notes.text().contains("kept")), (200, true));
    assert_eq!(rig.notes("acme").await.cache.get::<String>("still").await.unwrap().as_deref(), Some("here"));
    assert_eq!(tenants.keys(&id("acme")).await.unwrap().len(), 1);
    assert!(tenants.domains().await.unwrap().iter().any(|domain| domain.tenant == id("acme")));
    let again = tenants.restore(&id("acme")).await.unwrap_err();
    assert!(
        matches!(again, TenantError::Directory { source: StoreError::NotSoftDeleted { .. } }),
        "{again:?}"
    );

    // One that was suspended is so again, for the same reason.
    tenants.suspend(&id("globex"), Some("unpaid")).await.unwrap();
    tenants.delete(&id("globex")).await.unwrap();
    assert_eq!(rig.get("globex", "/v1/notes").await.status, 404);
    tenants.restore(&id("globex")).await.unwrap();
    let refused = rig.get("globex", "/v1/notes").await;
    assert_eq!((refused.status, refused.json()["reason"].as_str()), (403, Some("unpaid")));
}

fn chrono_now() -> sea_orm::prelude::ChronoDateTimeUtc {
    std::time::SystemTime::now().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_that_is_held_over_a_deletion_fails_and_writes_nothing_that_comes_back() {
    let rig = Rig::start().await;
    let tenants = rig.app().instance().tenants();
    let held = rig.notes("acme").await;
    let forged = || note::ActiveModel { text: Set("late".to_owned()), ..Default::default() };
    forged().insert(&held.db).await.unwrap();
    held.cache.set("before", "1").await.unwrap();
    let (hour, job) = (Duration::from_secs(3_600), "late");
    let begun = held.db.begin().await.unwrap();
    tenants.delete(&id("acme")).await.unwrap();
    let fails = async |when: &str| {
        assert!(held.tenant.has_ended(), "{when}");
        assert!(forged().insert(&held.db).await.is_err(), "{when}");
        assert!(note::Entity::find().all(&held.db).await.is_err(), "{when}");
        assert!(held.db.begin().await.is_err(), "{when}");
        assert!(held.cache.set("late", "1").await.is_err(), "{when}");
        assert!(held.cache.get::<String>("before").await.is_err(), "{when}");
        assert!(held.scheduler.every(job, hour, NotesJobs::tally()).await.is_err(), "{when}");
    };
    fails("deleted").await;
    // What was begun before goes to its end.
    let whole = note::ActiveModel { text: Set("begun before".to_owned()), ..Default::default() };
    whole.insert(&begun).await.unwrap();
    begun.commit().await.unwrap();
    tenants.restore(&id("acme")).await.unwrap();
    // What was begun for a tenant that was deleted is over, also when the tenant is there again.
    let next = rig.notes("acme").await;
    fails("restored").await;
    assert_eq!(note::Entity::find().count(&next.db).await.unwrap(), 2);
    assert_eq!(next.cache.keys("*").await.unwrap(), ["before"]);
    let jobs = next.scheduler.list().await.unwrap();
    assert!(jobs.iter().all(|known| known.id.as_str() != job), "{jobs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_deleted_tenant_rest_until_it_is_restored() {
    let rig = Rig::start().await;
    let tenants = rig.app().instance().tenants();
    let held = rig.notes("acme").await;
    held.scheduler.every("often", Duration::from_secs(1), NotesJobs::tally()).await.unwrap();
    let tallied = async || rig.notes("acme").await.cache.get::<Value>("tally").await.unwrap().is_some();
    eventually("the job runs", async || tallied().await).await;
    tenants.delete(&id("acme")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    tenants.restore(&id("acme")).await.unwrap();
    let next = rig.notes("acme").await;
    assert!(next.scheduler.get("often").await.unwrap().is_some(), "the job is kept");
    next.cache.delete("tally").await.unwrap();
    eventually("the job goes on", async || tallied().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_runs_drops_a_tenant_when_its_time_is_over_and_then_the_name_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let app = start(folder.path(), &[("tenancy.delete_after", "2s")]).await;
    let file = folder.path().join("data/tenants/acme.db");
    let begun = Instant::now();
    app.tenants().delete(&id("acme")).await.unwrap().unwrap();
    assert!(file.exists() && said(folder.path(), "probe deleted acme") == 0);
    // Restored in time, it is not dropped when the first time would be over.
    app.tenants().delete(&id("globex")).await.unwrap().unwrap();
    app.tenants().restore(&id("globex")).await.unwrap();
    eventually("the name is free", async || app.tenants().get(&id("acme")).await.is_err()).await;
    assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
    assert!(!file.exists() && said(folder.path(), "probe deleted acme") == 1);
    app.tenants().create(&id("acme")).await.unwrap();
    let notes = Rig::get_from(&app, "acme", "/v1/notes").await;
    assert_eq!((notes.status, notes.json()), (200, json!([])));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(status(&app, "globex").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_drops_what_is_overdue_and_leaves_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let app = start(folder.path(), &[("tenancy.delete_after", "1s")]).await;
    app.tenants().create(&id("initech")).await.unwrap();
    app.shutdown().await;
    let app = start(folder.path(), &[("tenancy.delete_after", "1h")]).await;
    app.tenants().delete(&id("globex")).await.unwrap();
    app.shutdown().await;
    let operating = start(folder.path(), &[("tenancy.delete_after", "1s")]).await;
    operating.tenants().delete(&id("acme")).await.unwrap();
    operating.tenants().delete(&id("initech")).await.unwrap();
    operating.shutdown().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let app = start(folder.path(), &[]).await;
    // `tenancy.ensure` names it: it is made anew, and is another one.
    assert_eq!((status(&app, "acme").await, said(folder.path(), "probe created acme")), (200, 2));
    assert!(app.tenants().get(&id("initech")).await.is_err());
    // Also of this one, which is deleted: it keeps what it has.
    assert_eq!(app.tenants().get(&id("globex")).await.unwrap().state, State::SoftDeleted);
    app.tenants().restore(&id("globex")).await.unwrap();
    assert_eq!((status(&app, "globex").await, said(folder.path(), "probe created globex")), (200, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_to_be_kept_is_gone_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let app = start(folder.path(), &[]).await;
    // Half made, so there is nothing to restore.
    fs::write(folder.path().join("created.half"), "fail").unwrap();
    app.tenants().create(&id("half")).await.unwrap_err();
    assert_eq!(app.tenants().delete(&id("half")).await.unwrap(), None);
    assert!(app.tenants().get(&id("half")).await.is_err());
    // Deleted before.
    app.tenants().delete(&id("acme")).await.unwrap().unwrap();
    app.tenants().purge(&id("acme")).await.unwrap();
    assert!(app.tenants().restore(&id("acme")).await.is_err());
    assert!(!folder.path().join("data/tenants/acme.db").exists());
    for default in
        [app.tenants().delete(&id("public")).await.map(drop), app.tenants().purge(&id("public")).await]
    {
        assert!(matches!(default, Err(TenantError::IsDefault { .. })), "{default:?}");
    }
    app.shutdown().await;
    let app = start(folder.path(), &[("tenancy.delete_after", "0s")]).await;
    assert_eq!(app.tenants().delete(&id("globex")).await.unwrap(), None);
    assert!(app.tenants().get(&id("globex")).await.is_err());
    app.shutdown().await;
    // A directory without states keeps nothing either.
    let app = start(folder.path(), &[("tenancy.directory", "open")]).await;
    let stateless = app.tenants().restore(&id("acme")).await.unwrap_err();
    assert!(
        matches!(stateless, TenantError::Directory { source: StoreError::Stateless { .. } }),
        "{stateless:?}"
    );
    assert_eq!(app.tenants().delete(&id("acme")).await.unwrap(), None);
    assert_eq!(status(&app, "acme").await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_missed_migrations_while_it_was_deleted_gets_them_when_it_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let app = start(folder.path(), &[]).await;
    app.tenants().delete(&id("acme")).await.unwrap();
    app.shutdown().await;
    // As a version of the app with one migration less leaves it.
    let change = async |file: &str, sql: &str| {
        let path = format!("sqlite://{}", folder.path().join("data").join(file).display());
        let db = sea_orm::Database::connect(path).await.unwrap();
        db.execute_unprepared(sql).await.unwrap();
        db.close().await.unwrap();
    };
    change("directory.db", "UPDATE xcore_tenants SET version = 'older' WHERE id = 'acme'").await;
    change("tenants/acme.db", "DROP TABLE tags; DROP TABLE notes").await;
    change("tenants/acme.db", "DELETE FROM xcore_migrations_notes").await;
    let app = start(folder.path(), &[]).await;
    assert_eq!(app.tenants().outdated().await.unwrap(), [], "nobody migrates what is deleted");
    app.tenants().restore(&id("acme")).await.unwrap();
    assert_eq!(status(&app, "acme").await, 200);
    // One that cannot be migrated stays what it was.
    app.tenants().delete(&id("acme")).await.unwrap();
    change("directory.db", "UPDATE xcore_tenants SET version = 'older' WHERE id = 'acme'").await;
    change("tenants/acme.db", "DELETE FROM xcore_migrations_notes").await;
    let refused = app.tenants().restore(&id("acme")).await.unwrap_err();
    assert!(matches!(refused, TenantError::Data { .. }), "{refused:?}");
    assert_eq!(app.tenants().get(&id("acme")).await.unwrap().state, State::SoftDeleted);
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_instances_each_follows_a_deletion_and_one_drops_the_tenant() {
    let (url, folder) = (PostgresServer::get().url().await, tempfile::tempdir().unwrap());
    let start = async || {
        let builder = Rig::builder().set("services.database.url", &url).set("tenancy.delete_after", "4s");
        builder.set("plugins.probe.config.folder", folder.path().display().to_string()).build().await.unwrap()
    };
    let (one, two) = tokio::join!(start(), start());
    assert_eq!(status(&two, "acme").await, 200);
    let held = held_by(&two).await;
    held.cache.set("before", "1").await.unwrap();
    let begun = Instant::now();
    one.tenants().delete(&id("acme")).await.unwrap().unwrap();
    eventually("the other one refuses it", async || status(&two, "acme").await == 404).await;
    eventually("its contexts in the other one end", async || held.tenant.has_ended()).await;
    println!("the other instance followed after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(note::Entity::find().all(&held.db).await.is_err());
    // Restored by the other one.
    two.tenants().restore(&id("acme")).await.unwrap();
    eventually("it is served by both", async || {
        status(&one, "acme").await == 200 && status(&two, "acme").await == 200
    })
    .await;
    assert!(held.tenant.has_ended());
    one.tenants().delete(&id("acme")).await.unwrap().unwrap();
    eventually("it is gone", async || one.tenants().get(&id("acme")).await.is_err()).await;
    assert_eq!(said(folder.path(), "probe deleted acme"), 1, "one of them has done it");
    two.tenants().create(&id("acme")).await.unwrap();
    eventually("the next of the name", async || status(&one, "acme").await == 200).await;
}

#[cfg(feature = "postgres")]
async fn held_by(app: &Instance) -> xcore_tests::plugins::notes::NotesContext {
    use tower::ServiceExt;
    use xcore::axum::body::Body;
    use xcore::axum::extract::Request;
    let request = Request::builder().uri("/own/notes-context").header("x-tenant-id", "acme");
    let Ok(mut response) = app.router().oneshot(request.body(Body::empty()).unwrap()).await;
    response.extensions_mut().remove().unwrap()
}
