//! The states of tenants, as clients, jobs and operators see them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Database, EntityTrait};
use serde::Deserialize;
use serde_json::{Value, json};
use xcore::TenantId;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::axum::http::{HeaderMap, StatusCode};
use xcore::tenancy::{ProfileChange, State, StoreError, TenancyError};
use xcore_tests::plugins::notes::{NotesJobs, note};
use xcore_tests::{Answer, Rig};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_tenant_is_refused_with_its_reason_until_it_is_resumed() {
    let rig = Rig::start().await;
    let tenants = rig.app().instance().tenants();
    let held = rig.notes("acme").await;
    let under_way = rig.get("acme", "/v1/echo/wait/300");
    let suspended = async {
        eventually("one is under way", async || {
            rig.get("globex", "/v1/echo/waiting").await.json() != json!(0)
        })
        .await;
        tenants.suspend(&id("acme"), Some("unpaid since May")).await.unwrap();
        for path in ["/v1/notes", "/v1/echo", "/v1/board/whose", "/own/tenant", "/own/notes-context"] {
            let refused = rig.get("acme", path).await;
            assert_eq!((refused.status, refused.problem().as_str()), (403, "tenant-suspended"), "{path}");
            assert_eq!(refused.json()["reason"], "unpaid since May");
            assert_eq!(rig.get("globex", path).await.status, 200);
        }
        let by_name = rig.app().call("echo", "whose", "acme", Value::Null).await.unwrap_err();
        assert_eq!(by_name.status(), StatusCode::FORBIDDEN);
    };
    let (ended, ()) = tokio::join!(under_way, suspended);
    assert_eq!((ended.status, ended.text().as_str()), (200, "waited"), "what was under way ended");
    // The data is still the tenant's own.
    assert!(note::Entity::find().all(&held.db).await.unwrap().is_empty());
    held.cache.set("still", "here").await.unwrap();

    let record = tenants.get(&id("acme")).await.unwrap();
    assert_eq!((record.state, record.reason.as_deref()), (State::Suspended, Some("unpaid since May")));
    tenants.suspend(&id("acme"), None).await.unwrap();
    assert_eq!(rig.get("acme", "/v1/echo").await.json().get("reason"), None);
    tenants.resume(&id("acme")).await.unwrap();
    assert_eq!(rig.get("acme", "/v1/notes").await.status, 200);
    assert_eq!(rig.notes("acme").await.cache.get::<String>("still").await.unwrap().as_deref(), Some("here"));
    let again = tenants.resume(&id("acme")).await.unwrap_err();
    assert!(matches!(again, xcore::app::TenantError::Directory { source: StoreError::Illegal { .. } }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_suspended_tenant_rest() {
    let rig = Rig::start().await;
    let tenants = rig.app().instance().tenants();
    let (acme, globex) = (rig.notes("acme").await, rig.notes("globex").await);
    let tallied = async |context: &xcore_tests::plugins::notes::NotesContext| {
        context.cache.get::<Value>("tally").await.unwrap().is_some()
    };
    for context in [&acme, &globex] {
        context.scheduler.every("often", Duration::from_secs(1), NotesJobs::tally()).await.unwrap();
    }
    eventually("the job runs", async || tallied(&acme).await && tallied(&globex).await).await;
    tenants.suspend(&id("acme"), None).await.unwrap();
    // A run may have been under way.
    tokio::time::sleep(Duration::from_millis(200)).await;
    acme.cache.delete("tally").await.unwrap();
    for _ in 0..3 {
        globex.cache.delete("tally").await.unwrap();
        eventually("the job of the other runs", async || tallied(&globex).await).await;
    }
    assert!(!tallied(&acme).await, "a job of the suspended tenant ran");
    tenants.resume(&id("acme")).await.unwrap();
    eventually("the job goes on", async || tallied(&acme).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_app_may_answer_for_suspended_tenants_itself() {
    let rig = Rig::with(|builder| {
        builder.suspended_page(|suspended, headers: &HeaderMap| {
            let wants = headers.get("accept").map_or("", |accept| accept.to_str().unwrap());
            let why = suspended.reason.as_deref().unwrap_or("nothing");
            (StatusCode::PAYMENT_REQUIRED, format!("{} {wants}: {why}", suspended.id))
        })
    })
    .await;
    rig.app().instance().tenants().suspend(&id("acme"), Some("see the bill")).await.unwrap();
    for path in ["/v1/notes", "/v1/board/whose", "/own/tenant", "/own/notes-context"] {
        let request = Request::get(path).header("x-tenant-id", "acme").header("accept", "text/html");
        let page = rig.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((page.status, page.text().as_str()), (402, "acme text/html: see the bill"), "{path}");
        assert_eq!(rig.get("globex", path).await.status, 200);
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    theme: String,
    #[serde(default)]
    lines: u32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_metadata_and_settings_are_seen_by_contexts_and_what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("xcore.yaml");
    let yaml = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml")).unwrap();
    let with = |settings: &str| {
        fs::write(&file, yaml.replace("tenancy:\n", &format!("tenancy:\n  settings: {settings}\n"))).unwrap();
    };
    let start = async || Rig::with(|builder| builder.config_file(&file).tenant_settings::<Settings>()).await;
    with("{ theme: light, lines: 5 }");
    let rig = start().await;
    let tenants = rig.app().instance().tenants();
    let acme = rig.notes("acme").await.tenant;
    let light = Settings { theme: "light".to_owned(), lines: 5 };
    assert_eq!((acme.plan(), &*acme.settings::<Settings>().unwrap()), (None, &light));
    let change = ProfileChange::new().plan(Some("pro")).metadata("region", "eu").setting("theme", "dark");
    tenants.change(&id("acme"), &change).await.unwrap();
    // One that was made before the change sees it as well.
    eventually("the change", async || acme.plan().as_deref() == Some("pro")).await;
    assert_eq!(acme.settings::<Settings>().unwrap().theme, "dark");
    assert_eq!(Value::from(acme.metadata()), json!({ "region": "eu" }));
    assert_eq!(*rig.notes("globex").await.tenant.settings::<Settings>().unwrap(), light);
    for wrong in [ProfileChange::new().setting("theme", 7), ProfileChange::new().setting("tehme", "dark")] {
        let refused = tenants.change(&id("acme"), &wrong.plan(None)).await.unwrap_err();
        assert!(matches!(refused, xcore::app::TenantError::Directory { source: StoreError::Profile { .. } }));
    }
    assert_eq!(tenants.get(&id("acme")).await.unwrap().profile.plan.as_deref(), Some("pro"));

    with("{ lines: 5 }");
    let data = format!("sqlite://{}", folder.path().join("data").display());
    let builder = Rig::builder().config_file(&file).set("services.database.url", data);
    let refused = builder.tenant_settings::<Settings>().build().await.unwrap_err();
    assert!(matches!(refused, xcore::app::BootError::Settings { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_fails_is_noted_with_its_reason_and_can_be_finished_or_rolled_back() {
    let folder = tempfile::tempdir().unwrap();
    let told = |tenant: &str| folder.path().join(format!("created.{tenant}"));
    let rig = Rig::set(&[("plugins.probe.config.folder", folder.path().to_str().unwrap())]).await;
    let tenants = rig.app().instance().tenants();
    for (tenant, finish) in [("late", "create"), ("later", "resume"), ("never", "delete")] {
        fs::write(told(tenant), "fail").unwrap();
        tenants.create(&id(tenant)).await.unwrap_err();
        let record = tenants.get(&id(tenant)).await.unwrap();
        let why = record.reason.unwrap();
        assert_eq!(record.state, State::Failed);
        assert!(why.contains("tenant_created") && why.contains("told to fail"), "{why}");
        assert_eq!(rig.get(tenant, "/v1/notes").await.status, 404);
        tenants.suspend(&id(tenant), None).await.unwrap_err();
        let revision = rig.app().instance().tenants().get(&id(tenant)).await.unwrap().times;
        tenants.resume(&id(tenant)).await.unwrap_err();
        assert_eq!(tenants.get(&id(tenant)).await.unwrap().times, revision, "it failed as before");
        if finish != "delete" {
            fs::remove_file(told(tenant)).unwrap();
        }
        match finish {
            "create" => tenants.create(&id(tenant)).await.unwrap(),
            "resume" => tenants.resume(&id(tenant)).await.unwrap(),
            _ => drop(tenants.delete(&id(tenant)).await.unwrap()),
        }
        let expected = if finish == "delete" { 404 } else { 200 };
        assert_eq!(rig.get(tenant, "/v1/notes").await.status, expected, "{finish}");
    }
    assert!(tenants.list().await.unwrap().iter().all(|record| record.reason.is_none()));
}

/// What a client can tell two answers apart by, except the time.
fn seen(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status, answer.text(), headers.collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_not_routable_cannot_be_told_from_one_that_does_not_exist() {
    const EACH: usize = 200;
    let rig = Rig::start().await;
    let file = format!("sqlite://{}", rig.app().folder().join("directory.db").display());
    let db = Database::connect(file).await.unwrap();
    let states = ["provisioning", "failed", "deleting", "hibernating"];
    // Each start looks at all tenants once, a moment later.
    tokio::time::sleep(Duration::from_secs(3)).await;
    // Behind the server's back: it would finish them.
    for state in states {
        for number in 0..EACH {
            let insert = format!(
                "INSERT INTO xcore_tenants (id, state, life, created_at, updated_at, reason, metadata) \
                 VALUES ('{state}{number}', '{state}', 1, 1, 1, 'a reason', '{{\"a\":1}}')"
            );
            db.execute_unprepared(&insert).await.unwrap();
        }
    }
    db.close().await.unwrap();
    let mut kinds = vec!["nobody"];
    kinds.extend(states);
    let unknown = seen(&rig.get("nobodyatall", "/v1/echo").await);
    assert_eq!((unknown.0, unknown.1.contains("unknown-tenant")), (404, true));
    let mut times = vec![Vec::new(); kinds.len()];
    for number in 0..EACH {
        for (kind, times) in kinds.iter().zip(&mut times) {
            let begun = Instant::now();
            let answer = rig.get(&format!("{kind}{number}"), "/v1/echo").await;
            times.push(begun.elapsed());
            assert_eq!(seen(&answer), unknown, "{kind}{number}");
        }
    }
    let medians: Vec<Duration> = times
        .into_iter()
        .map(|mut times| {
            times.sort_unstable();
            times[EACH / 2]
        })
        .collect();
    println!("medians of {kinds:?}: {medians:?}");
    // A name that exists is read and thrown away: a few microseconds of a row, far below what a network hides. What this finds
    // is a query or a lock more.
    let limit = medians[0] * 3 / 2 + Duration::from_micros(100);
    let least = (medians[0] * 2 / 3).saturating_sub(Duration::from_micros(100));
    for (kind, median) in kinds.iter().zip(&medians) {
        assert!(*median <= limit && *median >= least, "{kind} took {median:?}, nobody {:?}", medians[0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_without_states_says_so() {
    let rig = Rig::set(&[("tenancy.directory", "open")]).await;
    let tenants = rig.app().instance().tenants();
    let refused = [
        tenants.suspend(&id("acme"), None).await,
        tenants.change(&id("acme"), &ProfileChange::new().plan(Some("pro"))).await,
    ];
    for refused in refused {
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, xcore::app::TenantError::Directory { source: StoreError::Stateless { .. } }),
            "{refused:?}"
        );
    }
    assert_eq!(rig.get("acme", "/v1/notes").await.status, 200);
    let unknown = TenancyError::Unknown.to_string();
    assert!(!unknown.contains("nobody"));
}
