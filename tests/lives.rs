//! Tenants that come, go and come again; hooks that fail or are stuck; apps that stop and start on the same folder.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sea_orm::Database;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;
use xcore::prelude::*;
use xcore::{Instance, TenantId};
use xcore_tests::Rig;
use xcore_tests::plugins::notes::{NotesContext, NotesJobs, note};

/// How long anything may take that nothing holds up.
const PATIENCE: Duration = Duration::from_secs(60);

fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// Asks again and again until the claim holds.
async fn eventually(claim: &str, holds: impl AsyncFn() -> bool) {
    let asking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, asking).await.is_ok(), "not after {PATIENCE:?}: {claim}");
}

async fn status(app: &Instance, tenant: &str) -> u16 {
    Rig::get_from(app, tenant, "/v1/notes").await.status
}

/// A folder that one app after another has its data in, and what the hooks of the probe are told and say.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self, name: &str) -> PathBuf {
        self.path("data").join(name)
    }

    /// Starts an app here, with some keys set over `xcore.yaml`.
    async fn start(&self, keys: &[(&str, &str)]) -> Instance {
        let builder = Rig::builder()
            .set("services.database.url", format!("sqlite://{}", self.path("data").display()))
            .set("plugins.desk.config.hook_log", self.path("log").display().to_string())
            .set("plugins.probe.config.folder", self.folder.path().display().to_string());
        let builder = keys.iter().fold(builder, |builder, (key, value)| builder.set(key, *value));
        timeout(PATIENCE, builder.build()).await.expect("the start is held up").unwrap()
    }

    /// Tells a hook of the probe what to do for a tenant: `fail`, `stay` or `add a job`.
    fn tell(&self, hook: &str, whose: &str, what: &str) {
        fs::write(self.path(&format!("{hook}.{whose}")), what).unwrap();
    }

    /// Takes back what the hook was told; one that stays goes on.
    fn let_go(&self, hook: &str, whose: &str) {
        fs::remove_file(self.path(&format!("{hook}.{whose}"))).unwrap();
    }

    /// How often the hooks have said this.
    fn count(&self, line: &str) -> usize {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        log.lines().filter(|said| *said == line).count()
    }

    async fn until_said(&self, line: &str) {
        eventually(line, async || self.count(line) > 0).await;
    }

    /// Changes a database as another program would.
    async fn change(&self, file: &str, sql: &[&str]) {
        let db = Database::connect(format!("sqlite://{}", self.data(file).display())).await.unwrap();
        for sql in sql {
            assert!(db.execute_unprepared(sql).await.unwrap().rows_affected() > 0, "{sql}");
        }
        db.close().await.unwrap();
    }

    /// Marks a tenant as another process does that was told to delete it.
    async fn mark_deleting(&self, tenant: &str) {
        let mark = format!("UPDATE xcore_tenants SET state = 'deleting' WHERE id = '{tenant}'");
        self.change("directory.db", &[&mark, "UPDATE xcore_directory SET revision = revision + 1"]).await;
    }
}

/// A context of a tenant that was deleted since, and one of the tenant that has its name now.
async fn two_lives(rig: &Rig) -> (NotesContext, NotesContext) {
    let tenant = rig.app().tenant("fleeting").await.unwrap();
    // So that the app has a context in its memory, too.
    let written = rig.post("fleeting", "/v1/notes", json!({ "text": "of the first" })).await;
    assert_eq!(written.status, 201);
    let first = rig.notes("fleeting").await;
    rig.app().instance().tenants().purge(&tenant).await.unwrap();
    rig.app().tenant("fleeting").await.unwrap();
    (first, rig.notes("fleeting").await)
}

#[tokio::test]
async fn a_context_that_outlives_its_tenant_never_reaches_the_cache_of_the_next_of_that_name() {
    let rig = Rig::start().await;
    let (first, next) = two_lives(&rig).await;
    assert!(first.cache.set("secret", "of the first").await.is_err());
    assert!(first.cache.incr("count", 1).await.is_err());
    assert_eq!(next.cache.keys("*").await.unwrap(), Vec::<String>::new());

    next.cache.set("own", "of the next").await.unwrap();
    assert!(first.cache.get::<String>("own").await.is_err());
    assert!(first.cache.keys("*").await.is_err());
    assert!(first.cache.delete("own").await.is_err());
    assert!(first.cache.clear("*").await.is_err());
    assert_eq!(next.cache.get::<String>("own").await.unwrap().as_deref(), Some("of the next"));
}

#[tokio::test]
async fn a_context_that_outlives_its_tenant_never_reaches_the_database_of_the_next_of_that_name() {
    let rig = Rig::start().await;
    let (first, next) = two_lives(&rig).await;
    let forged = || note::ActiveModel { text: Set("of the first".to_owned()), ..Default::default() };
    assert!(forged().insert(&first.db).await.is_err());
    assert!(first.db.begin().await.is_err());
    assert!(first.db.execute_unprepared("INSERT INTO notes (text) VALUES ('of the first')").await.is_err());
    assert_eq!(note::Entity::find().all(&next.db).await.unwrap(), []);

    // The remembered contexts of the first are forgotten as well: this goes to the next.
    let own = rig.post("fleeting", "/v1/notes", json!({ "text": "of the next" })).await;
    assert_eq!((own.status, own.json()), (201, json!({ "id": 1, "text": "of the next" })));
    assert!(note::Entity::find().all(&first.db).await.is_err());
    assert!(note::Entity::delete_many().exec(&first.db).await.is_err());
    assert_eq!(note::Entity::find().count(&next.db).await.unwrap(), 1);
}

#[tokio::test]
async fn a_context_that_outlives_its_tenant_never_reaches_the_scheduler_of_the_next_of_that_name() {
    let rig = Rig::start().await;
    let (first, next) = two_lives(&rig).await;
    let hour = Duration::from_secs(3_600);
    assert!(first.scheduler.every("spy", hour, NotesJobs::tally()).await.is_err());
    let jobs = next.scheduler.list().await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["notes.sweep"]);

    next.scheduler.every("own", hour, NotesJobs::tally()).await.unwrap();
    assert!(first.scheduler.list().await.is_err());
    assert!(first.scheduler.run_now("own").await.is_err());
    assert!(first.scheduler.pause("own").await.is_err());
    assert!(first.scheduler.remove("own").await.is_err());
    assert!(!next.scheduler.get("own").await.unwrap().unwrap().paused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_hook_does_not_hold_up_the_start() {
    let place = Place::new();
    place.tell("created", "acme", "stay");
    for _ in 0..2 {
        let app = place.start(&[("app.hook_timeout", "100ms")]).await;
        assert_eq!((status(&app, "acme").await, status(&app, "globex").await), (404, 200));
        app.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_that_are_stuck_hold_up_the_start_together() {
    let place = Place::new();
    for whose in ["acme", "globex"] {
        place.tell("created", whose, "stay");
    }
    let both_at_once = async |said: usize| {
        let starting = async {
            let app = place.start(&[("app.hook_timeout", "10m")]).await;
            assert_eq!((status(&app, "acme").await, status(&app, "globex").await), (200, 200));
            app.shutdown().await;
        };
        let letting_go = async {
            let is_stuck = |whose| place.count(&format!("probe created {whose}")) == said;
            eventually("both hooks run", async || is_stuck("acme") && is_stuck("globex")).await;
            for whose in ["acme", "globex"] {
                place.let_go("created", whose);
            }
        };
        tokio::join!(starting, letting_go);
    };
    // Tenants that are created, and then the same ones unfinished.
    both_at_once(1).await;
    for whose in ["acme", "globex"] {
        let unfinished = format!("UPDATE xcore_tenants SET state = 'provisioning' WHERE id = '{whose}'");
        place.change("directory.db", &[&unfinished]).await;
        place.tell("created", whose, "stay");
    }
    both_at_once(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_tries_each_unfinished_tenant_once() {
    let place = Place::new();
    place.tell("created", "acme", "fail");
    for _ in 0..2 {
        let tried = place.count("probe created acme");
        place.start(&[]).await.shutdown().await;
        let log = fs::read_to_string(place.path("log")).unwrap();
        // What comes after the start hooks is tried by the app that runs.
        let starting = log.lines().rev().skip_while(|line| *line != "start");
        let until_then = starting.filter(|line| *line == "probe created acme").count();
        assert_eq!(until_then - tried, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_must_exist_and_was_being_deleted_is_made_anew() {
    let place = Place::new();
    place.start(&[]).await.shutdown().await;
    place.mark_deleting("acme").await;
    let app = place.start(&[]).await;
    assert_eq!(status(&app, "acme").await, 200);
    assert_eq!((place.count("probe deleted acme"), place.count("probe created acme")), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_hook_keeps_no_other_tenant_from_being_created() {
    let place = Place::new();
    let app = place.start(&[("app.hook_timeout", "10m")]).await;
    place.tell("created", "stuck", "stay");
    let creating = tokio::spawn({
        let app = app.clone();
        async move { app.tenants().create(&id("stuck")).await }
    });
    place.until_said("probe created stuck").await;
    for number in 0..64 {
        app.tenants().create(&id(&format!("t{number}"))).await.unwrap();
    }
    place.let_go("created", "stuck");
    creating.await.unwrap().unwrap();
    // The app that runs may look after an unfinished tenant at this moment, which takes a lock, too.
    let deadline = Instant::now() + Duration::from_secs(10);
    while fs::read_dir(place.data("locks")).unwrap().count() > 0 {
        assert!(Instant::now() < deadline, "a lock file stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_whose_hook_fails_is_not_served_until_it_succeeds() {
    let place = Place::new();
    place.tell("created", "acme", "fail");
    for _ in 0..2 {
        // One of `tenancy.ensure`: the others are served all the same.
        let app = place.start(&[]).await;
        assert_eq!((status(&app, "acme").await, status(&app, "globex").await), (404, 200));
        app.shutdown().await;
    }
    let app = place.start(&[]).await;
    let failed = app.tenants().create(&id("acme")).await.unwrap_err().to_string();
    assert!(failed.contains("tenant_created") && failed.contains("probe"), "{failed}");
    place.let_go("created", "acme");
    app.tenants().create(&id("acme")).await.unwrap();
    assert_eq!(status(&app, "acme").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_made_tenant_of_an_open_directory_is_not_served() {
    let place = Place::new();
    let app = place.start(&[("tenancy.directory", "open")]).await;
    place.tell("created", "half", "stay");
    let creating = tokio::spawn({
        let app = app.clone();
        async move { app.tenants().create(&id("half")).await }
    });
    place.until_said("probe created half").await;
    assert_eq!(status(&app, "half").await, 503);
    // A migration by hand does not finish it.
    app.tenants().migrate(&id("half")).await.unwrap();
    assert_eq!(status(&app, "half").await, 503);
    place.let_go("created", "half");
    creating.await.unwrap().unwrap();
    assert_eq!(status(&app, "half").await, 200);

    place.tell("created", "failed", "fail");
    assert!(app.tenants().create(&id("failed")).await.is_err());
    assert_eq!(status(&app, "failed").await, 503);
    place.let_go("created", "failed");
    app.tenants().create(&id("failed")).await.unwrap();
    assert_eq!(status(&app, "failed").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_deleted_tenant_of_an_open_directory_is_not_served() {
    let place = Place::new();
    let app = place.start(&[("tenancy.directory", "open")]).await;
    place.tell("deleted", "acme", "stay");
    let deleting = tokio::spawn({
        let app = app.clone();
        async move { app.tenants().purge(&id("acme")).await }
    });
    place.until_said("probe deleted acme").await;
    assert_eq!(status(&app, "acme").await, 503);
    place.let_go("deleted", "acme");
    deleting.await.unwrap().unwrap();
    assert_eq!(status(&app, "acme").await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_failed_is_tried_again_by_itself() {
    let place = Place::new();
    let app = place.start(&[]).await;
    place.tell("created", "late", "fail");
    assert!(app.tenants().create(&id("late")).await.is_err());
    place.let_go("created", "late");
    eventually("late is served", async || status(&app, "late").await == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_was_given_up_is_finished_by_itself() {
    let place = Place::new();
    let app = place.start(&[]).await;
    place.tell("created", "dropped", "stay");
    let tenant = id("dropped");
    tokio::select! {
        ended = app.tenants().create(&tenant) => panic!("{ended:?}"),
        () = place.until_said("probe created dropped") => {}
    }
    assert_eq!(status(&app, "dropped").await, 404);
    place.let_go("created", "dropped");
    eventually("dropped is served", async || status(&app, "dropped").await == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_was_given_up_is_finished_by_itself() {
    let place = Place::new();
    let app = place.start(&[]).await;
    place.tell("deleted", "acme", "stay");
    let tenant = id("acme");
    tokio::select! {
        ended = app.tenants().purge(&tenant) => panic!("{ended:?}"),
        () = place.until_said("probe deleted acme") => {}
    }
    assert_eq!(status(&app, "acme").await, 404);
    place.let_go("deleted", "acme");
    eventually("the data of acme is gone", async || !place.data("tenants/acme.db").exists()).await;
    eventually("acme can be created again", async || app.tenants().create(&tenant).await.is_ok()).await;
    assert_eq!(status(&app, "acme").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_fails_keeps_no_other_from_a_deletion() {
    for what in ["fail", "stay"] {
        let place = Place::new();
        let app = place.start(&[("app.hook_timeout", "100ms")]).await;
        place.tell("deleted", "acme", what);
        timeout(PATIENCE, app.tenants().purge(&id("acme"))).await.unwrap().unwrap();
        // The hooks run in the reverse order of the start, so the desk comes after the probe.
        assert_eq!(place.count("probe deleted acme"), 1);
        assert_eq!(place.count(r#"{"deleted":"acme"}"#), 1, "after a hook that was told: {what}");
        assert!(!place.data("tenants/acme.db").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_of_a_new_tenant_may_add_a_job() {
    let place = Place::new();
    place.tell("created", "acme", "add a job");
    let app = place.start(&[]).await;
    let jobs = async |when| {
        let jobs = Rig::get_from(&app, "acme", "/v1/notes/jobs").await.json();
        assert_eq!(jobs, json!(["notes.sweep", "welcome"]), "{when}");
    };
    jobs("at the start").await;
    for _ in 0..2 {
        app.tenants().purge(&id("acme")).await.unwrap();
        app.tenants().create(&id("acme")).await.unwrap();
        jobs("created again").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_in_a_state_of_another_version_is_left_alone() {
    let place = Place::new();
    place.start(&[]).await.shutdown().await;
    place.change("directory.db", &["UPDATE xcore_tenants SET state = 'hibernating' WHERE id = 'acme'"]).await;
    let app = place.start(&[]).await;
    assert_eq!((status(&app, "acme").await, status(&app, "globex").await), (404, 200));
    app.shutdown().await;
    // Nobody has changed the row meanwhile: one is there to be changed.
    let back = "UPDATE xcore_tenants SET state = 'active' WHERE id = 'acme' AND state = 'hibernating'";
    place.change("directory.db", &[back]).await;
    assert_eq!(status(&place.start(&[]).await, "acme").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_could_not_be_migrated_is_served_once_it_was_made_anew() {
    let place = Place::new();
    place.start(&[]).await.shutdown().await;
    // The migration that makes the tables is taken for one that is pending, and fails: they are there.
    place.change("directory.db", &["UPDATE xcore_tenants SET version = NULL WHERE id = 'acme'"]).await;
    place.change("tenants/acme.db", &["DELETE FROM xcore_migrations_notes"]).await;
    let app = place.start(&[]).await;
    assert_eq!((status(&app, "acme").await, status(&app, "globex").await), (503, 200));
    app.tenants().purge(&id("acme")).await.unwrap();
    assert_eq!(status(&app, "acme").await, 404);
    app.tenants().create(&id("acme")).await.unwrap();
    assert_eq!(status(&app, "acme").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_deletion_does_not_hide_what_other_processes_change() {
    let place = Place::new();
    let app = place.start(&[("app.hook_timeout", "10m")]).await;
    assert_eq!(status(&app, "globex").await, 200);
    place.tell("deleted", "acme", "stay");
    place.mark_deleting("acme").await;
    place.until_said("probe deleted acme").await;
    assert_eq!((status(&app, "acme").await, status(&app, "globex").await), (404, 200));
    place.mark_deleting("globex").await;
    eventually("globex is refused", async || status(&app, "globex").await == 404).await;
    place.let_go("deleted", "acme");
    let is_gone = |name| !place.data(&format!("tenants/{name}.db")).exists();
    eventually("both are gone", async || is_gone("acme") && is_gone("globex")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn public_is_no_tenant_once_another_is_the_default() {
    let place = Place::new();
    let app = place.start(&[]).await;
    assert_eq!(status(&app, "public").await, 200);
    app.shutdown().await;
    let app = place.start(&[("tenancy.default_tenant", "acme")]).await;
    assert_eq!(status(&app, "public").await, 404);
    let by_name = app.call("echo", "whose", &id("public"), json!(null)).await;
    assert_eq!(by_name.unwrap_err().status(), StatusCode::NOT_FOUND);
    assert_eq!(status(&app, "acme").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_shutdown_does_nothing_more() {
    let place = Place::new();
    let app = place.start(&[]).await;
    app.shutdown().await;
    app.clone().shutdown().await;
    assert_eq!((place.count("probe stop app"), place.count("stop")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_stop_hook_is_left_and_the_others_run() {
    let place = Place::new();
    let app = place.start(&[("app.shutdown_grace", "300ms")]).await;
    place.tell("stop", "app", "stay");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn({
        let app = app.clone();
        async move { app.serve(listener, async move { stopped.await.unwrap() }).await }
    });
    // A request that outlasts the grace time, so that the hook begins when nothing is left of it.
    let waiting =
        tokio::task::spawn_blocking(move || xcore_tests::wire::get(address, "acme", "/v1/echo/wait/19000"));
    eventually("the request is in flight", async || {
        Rig::get_from(&app, "acme", "/v1/echo/waiting").await.json() != json!(0)
    })
    .await;
    let begun = Instant::now();
    stop.send(()).unwrap();
    timeout(PATIENCE, serving).await.expect("the stuck hook holds up the stop").unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // The desk's hook comes after the stuck one.
    assert_eq!((place.count("probe stop app"), place.count("stop")), (1, 1));
    drop(waiting);
}
