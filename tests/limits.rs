//! What tenants may use, by their plans.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use tempfile::TempDir;
use xcore::app::TenantError;
use xcore::scheduler::{JobCall, SchedulerError};
use xcore::tenancy::{ProfileChange, StoreError};
use xcore::{Instance, TenantId};
use xcore_tests::{Answer, Rig};

const PLANS: &str = "
    slow: { requests_per_second: 1, burst: 3 }
    narrow: { concurrent_requests: 2 }
    both: { requests_per_second: 2, burst: 5, concurrent_requests: 1 }
    lone: { database_connections: 1 }
    few: { jobs: 2, concurrent_jobs: 2 }
    forgetful: { cache_bytes: 16KiB }
    free: {}
";

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

/// The app with plans, and with more keys of `tenancy`.
async fn rig_on(folder: &TempDir, plans: &str, keys: &str) -> Rig {
    let data = format!("sqlite://{}", folder.path().join("data").display());
    let file = written(folder, plans, keys);
    Rig::with(|builder| builder.config_file(&file).set("services.database.url", data)).await
}

/// The configuration of the app with plans.
fn written(folder: &TempDir, plans: &str, keys: &str) -> PathBuf {
    let file = folder.path().join("xcore.yaml");
    let yaml = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml")).unwrap();
    fs::write(&file, yaml.replace("tenancy:\n", &format!("tenancy:\n  plans:{plans}{keys}\n"))).unwrap();
    file
}

async fn rig(keys: &str) -> (TempDir, Rig) {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig_on(&folder, PLANS, keys).await;
    (folder, rig)
}

async fn set_plan(rig: &Rig, tenant: &str, plan: Option<&str>) {
    rig.app().instance().tenants().change(&id(tenant), &ProfileChange::new().plan(plan)).await.unwrap();
}

/// Sends requests until one is refused. It takes a few, however slow the machine is.
async fn until_refused(rig: &Rig, tenant: &str, path: &str) -> (usize, Answer) {
    for served in 0..1_000 {
        let answer = rig.get(tenant, path).await;
        if answer.status == 429 {
            return (served, answer);
        }
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    panic!("{path}: nothing is refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_sends_too_many_requests_is_refused_and_the_others_are_not() {
    // With plain sources, and with such that make every request wait.
    for keys in ["", "  path: /t\n"] {
        let (_folder, rig) = rig(keys).await;
        set_plan(&rig, "acme", Some("slow")).await;
        // The last one names its tenant or does not.
        for path in ["/v1/echo", "/v1/board/whose"] {
            let (_, refused) = until_refused(&rig, "acme", path).await;
            assert_eq!(refused.problem(), "too-many-requests", "{path}");
            assert_eq!(refused.json()["violated-policies"], json!(["requests"]));
            assert_eq!(refused.header("retry-after"), Some("1"));
            assert_eq!(refused.header("ratelimit-policy"), Some("\"requests\";q=3;w=3"));
            assert_eq!(refused.header("ratelimit"), Some("\"requests\";r=0;t=3"));
            let other = rig.get("globex", path).await;
            assert_eq!((other.status, other.header("ratelimit")), (200, None), "nothing limits it");
            // Also for another action, as it is the tenant that is refused.
            assert_eq!(rig.get("acme", "/v1/notes").await.status, 429);
        }
        // A client that waits as it was told is served.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let answer = rig.get("acme", "/v1/echo").await;
        assert_eq!((answer.status, answer.header("ratelimit-policy")), (200, Some("\"requests\";q=3;w=3")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_is_served_and_an_answer_says_what_is_left() {
    let (_folder, rig) = rig("").await;
    set_plan(&rig, "acme", Some("both")).await;
    let answer = rig.get("acme", "/v1/echo").await;
    let policy = "\"requests\";q=5;w=3, \"concurrent\";q=1;qu=\"concurrent-requests\"";
    assert_eq!(answer.header("ratelimit-policy"), Some(policy));
    assert_eq!(answer.header("ratelimit"), Some("\"requests\";r=4;t=1, \"concurrent\";r=0"));
    let (served, _) = until_refused(&rig, "acme", "/v1/echo").await;
    assert!(served >= 4, "{served}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_requests_of_a_tenant_are_served_at_once_and_a_place_is_freed_however_one_ends() {
    let (_folder, rig) = rig("").await;
    set_plan(&rig, "acme", Some("narrow")).await;
    let waiting = async |count: usize| {
        eventually("they wait", async || rig.get("globex", "/v1/echo/waiting").await.json() == json!(count))
            .await;
    };
    let third = async {
        waiting(2).await;
        let refused = rig.get("acme", "/v1/echo").await;
        assert_eq!((refused.status, refused.problem().as_str()), (429, "too-many-requests"));
        assert_eq!(refused.json()["violated-policies"], json!(["concurrent"]));
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(refused.header("ratelimit"), Some("\"concurrent\";r=0"));
        assert_eq!(rig.get("globex", "/v1/echo").await.status, 200);
    };
    let (first, second, ()) =
        tokio::join!(rig.get("acme", "/v1/echo/wait/2000"), rig.get("acme", "/v1/echo/wait/2000"), third);
    assert_eq!((first.status, second.status), (200, 200));
    // More than there are places, one after the other: each gives its place back.
    for _ in 0..5 {
        assert_eq!(rig.get("acme", "/v1/echo/panic").await.status, 500);
        assert_eq!(rig.get("acme", "/v1/echo/forever").await.status, 504);
        let dropped = rig.get("acme", "/v1/echo/wait/60000");
        assert!(tokio::time::timeout(Duration::from_millis(20), dropped).await.is_err());
        let answer = rig.get("acme", "/v1/echo").await;
        assert_eq!((answer.status, answer.header("ratelimit")), (200, Some("\"concurrent\";r=1")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_by_name_and_of_other_plugins_are_no_requests() {
    for keys in ["", "  path: /t\n"] {
        let (_folder, rig) = rig(keys).await;
        set_plan(&rig, "acme", Some("slow")).await;
        until_refused(&rig, "acme", "/v1/echo").await;
        for _ in 0..10 {
            rig.app().call("echo", "whose", "acme", Value::Null).await.unwrap();
            rig.app().call("board", "whose", "acme", Value::Null).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_plan_is_seen_and_a_plan_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig_on(&folder, PLANS, "  default_plan: slow\n").await;
    until_refused(&rig, "acme", "/v1/echo").await;
    set_plan(&rig, "acme", Some("free")).await;
    for _ in 0..10 {
        assert_eq!(rig.get("acme", "/v1/echo").await.status, 200);
    }
    let tenants = rig.app().instance().tenants();
    let wrong = tenants.change(&id("acme"), &ProfileChange::new().plan(Some("gold"))).await.unwrap_err();
    let TenantError::Directory { source: source @ StoreError::Profile { .. } } = wrong else {
        panic!("{wrong}")
    };
    let told = std::error::Error::source(&source).unwrap().to_string();
    assert_eq!(
        told,
        "`tenancy.plans` of xcore.yaml has no plan `gold`; it has both, few, forgetful, free, lone, narrow, slow"
    );
    assert_eq!(tenants.get(&id("acme")).await.unwrap().profile.plan.as_deref(), Some("free"));
    drop(rig);

    // The plan has gone from the file: the tenant is served as one that has none, and other things can be changed.
    let rig =
        rig_on(&folder, "\n    slow: { requests_per_second: 1, burst: 3 }\n", "  default_plan: slow\n").await;
    until_refused(&rig, "acme", "/v1/echo").await;
    let change = ProfileChange::new().metadata("region", "eu");
    rig.app().instance().tenants().change(&id("acme"), &change).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_holds_its_connections_is_refused_and_a_change_of_its_plan_is_seen() {
    let (_folder, rig) = rig("").await;
    set_plan(&rig, "acme", Some("lone")).await;
    assert_eq!(rig.get("acme", "/v1/notes").await.status, 200);
    let notes = rig.notes("acme").await;
    let held = notes.db.begin().await.unwrap();
    held.execute_unprepared("SELECT 1").await.unwrap();
    let refused = rig.get("acme", "/v1/notes").await;
    assert_eq!((refused.status, refused.problem().as_str()), (429, "too-many-requests"));
    assert_eq!(refused.json()["violated-policies"], json!(["database-connections"]));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(rig.get("acme", "/v1/echo").await.status, 200, "it needs none");
    assert_eq!(rig.get("globex", "/v1/notes").await.status, 200);
    // The plan is changed while one is held.
    set_plan(&rig, "acme", Some("free")).await;
    assert_eq!(rig.get("acme", "/v1/notes").await.status, 200);
    drop(held);
    set_plan(&rig, "acme", Some("lone")).await;
    // With the next request the change is seen; a connection that was taken before does not count.
    assert_eq!(rig.get("acme", "/v1/notes").await.status, 200);
    let _held = notes.db.begin().await.unwrap();
    assert_eq!(rig.get("acme", "/v1/notes").await.status, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_as_many_jobs_and_runs_of_them_as_its_plan_allows() {
    let folder = tempfile::tempdir().unwrap();
    let probe = folder.path().join("probe");
    fs::create_dir(&probe).unwrap();
    let file = folder.path().join("xcore.yaml");
    let yaml = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml")).unwrap();
    fs::write(&file, yaml.replace("tenancy:\n", &format!("tenancy:\n  plans:{PLANS}\n"))).unwrap();
    let data = format!("sqlite://{}", folder.path().join("data").display());
    let rig = Rig::with(|builder| {
        builder
            .config_file(&file)
            .set("services.database.url", data)
            .set("plugins.probe.config.folder", probe.display().to_string())
    })
    .await;
    let jobs = rig.notes("acme").await.scheduler;
    let nap = || JobCall::new("probe", "nap");
    // Before the plan is set: they are kept, and run two at once.
    for number in 0..6 {
        jobs.every(&format!("nap{number}"), Duration::from_secs(3_600), nap()).await.unwrap();
    }
    set_plan(&rig, "acme", Some("few")).await;
    // The change was made by this process, so it is seen with the next request.
    assert_eq!(rig.get("acme", "/v1/echo").await.status, 200);
    let refused = jobs.every("one more", Duration::from_secs(3_600), nap()).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::TooMany { most: 2, .. }), "{refused}");
    jobs.every("nap1", Duration::from_secs(7_200), nap()).await.unwrap();
    for number in 0..6 {
        jobs.run_now(&format!("nap{number}")).await.unwrap();
    }
    let log = probe.join("log");
    let lines = || fs::read_to_string(&log).unwrap_or_default();
    eventually("all naps are over", async || lines().matches("woke acme").count() == 6).await;
    let mut now = 0_i32;
    for line in lines().lines() {
        now += match line {
            "probe nap acme" => 1,
            "probe woke acme" => -1,
            _ => 0,
        };
        assert!(now <= 2, "{}", lines());
    }
    for number in 0..5 {
        assert!(jobs.remove(&format!("nap{number}")).await.unwrap());
    }
    jobs.every("one more", Duration::from_secs(3_600), nap()).await.unwrap();
    assert!(jobs.every("two more", Duration::from_secs(3_600), nap()).await.is_err());
}

/// Writes a hundred entries to the cache of a tenant, and says how many of them are there.
async fn filled(app: &Instance, tenant: &str) -> usize {
    let cache = Rig::notes_of(app, tenant).await.cache;
    for number in 0..100 {
        cache.set(&format!("k{number}"), "a value").await.unwrap();
    }
    cache.keys("*").await.unwrap().len()
}

/// Whether so many entries are what a tenant may have that is `forgetful`: an entry takes more than 100 bytes, with its bookkeeping.
fn is_few(entries: usize) -> bool {
    (1..=32).contains(&entries)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cache_entries_of_a_tenant_keep_to_its_plan_and_a_change_counts_for_what_is_there() {
    let (_folder, rig) = rig("").await;
    let app = rig.app().instance();
    let count = async |tenant: &str| Rig::notes_of(app, tenant).await.cache.keys("*").await.unwrap().len();
    assert_eq!((filled(app, "acme").await, filled(app, "globex").await), (100, 100));
    set_plan(&rig, "acme", Some("forgetful")).await;
    // Nobody asks for the tenant meanwhile.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let left = count("acme").await;
    assert!(is_few(left), "{left}");
    let left = filled(app, "acme").await;
    assert!(is_few(left), "{left}");
    assert_eq!(count("globex").await, 100, "its entries made no room for those of acme");
    set_plan(&rig, "acme", Some("free")).await;
    assert_eq!(filled(app, "acme").await, 100);

    // The limit goes with the tenant, and not with its name.
    set_plan(&rig, "acme", Some("forgetful")).await;
    let tenants = app.tenants();
    tenants.rename(&id("acme"), &id("initech")).await.unwrap();
    tenants.create(&id("acme")).await.unwrap();
    assert_eq!(filled(app, "acme").await, 100);
    let left = filled(app, "initech").await;
    assert!(is_few(left), "{left}");
    tenants.purge(&id("initech")).await.unwrap();
    tenants.create(&id("initech")).await.unwrap();
    assert_eq!(filled(app, "initech").await, 100);
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_plan_counts_for_the_cache_of_every_process() {
    let folder = tempfile::tempdir().unwrap();
    let url = xcore_tests::PostgresServer::get().url().await;
    let file = written(&folder, PLANS, "");
    let start = async || {
        Rig::builder().config_file(&file).set("services.database.url", url.as_str()).build().await.unwrap()
    };
    let (one, two) = (start().await, start().await);
    assert_eq!(filled(&two, "acme").await, 100);
    let cache = Rig::notes_of(&two, "acme").await.cache;
    one.tenants().change(&id("acme"), &ProfileChange::new().plan(Some("forgetful"))).await.unwrap();
    let begun = Instant::now();
    eventually("the other process has heard of it", async || is_few(cache.keys("*").await.unwrap().len()))
        .await;
    println!("heard of after {:?}", begun.elapsed());
    one.shutdown().await;
    two.shutdown().await;
}
