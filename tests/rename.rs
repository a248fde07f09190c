//! Tenants that get another name, and tenants that are made of spare ones.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;
use xcore::app::TenantError;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::db::DatabaseError;
use xcore::prelude::*;
use xcore::{Instance, TenantId};
#[cfg(feature = "postgres")]
use xcore_tests::PostgresServer;
use xcore_tests::plugins::notes::{NotesContext, NotesJobs, note};
use xcore_tests::{Answer, Program, Rig};

/// How long anything may take that nothing holds up.
const PATIENCE: Duration = Duration::from_secs(60);

fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// Where the tenants of an app are.
struct Place {
    what: &'static str,
    url: String,
    role: &'static str,
    _folder: Option<TempDir>,
}

impl Place {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("data").display());
        Self { what: "SQLite", url, role: "shared", _folder: Some(folder) }
    }

    #[cfg(feature = "postgres")]
    async fn postgres(role: &'static str) -> Self {
        Self { what: "PostgreSQL", url: PostgresServer::get().url().await, role, _folder: None }
    }

    /// One of each kind.
    async fn all() -> Vec<Self> {
        #[cfg(feature = "postgres")]
        return vec![
            Self::sqlite(),
            Self::postgres("shared").await,
            Self::postgres("set_role").await,
            Self::postgres("login").await,
        ];
        #[cfg(not(feature = "postgres"))]
        vec![Self::sqlite()]
    }

    async fn start(&self, keys: &[(&str, &str)]) -> Instance {
        let builder = Rig::builder()
            .set("services.database.url", self.url.as_str())
            .set("services.database.connections", "8")
            .set("tenancy.db_role", self.role);
        let builder = keys.iter().fold(builder, |builder, (key, value)| builder.set(key, *value));
        timeout(PATIENCE, builder.build()).await.expect("the start is held up").unwrap()
    }
}

async fn ask(app: &Instance, tenant: &str) -> Answer {
    Rig::get_from(app, tenant, "/v1/notes").await
}

async fn texts(app: &Instance, tenant: &str) -> Vec<String> {
    let answer = ask(app, tenant).await;
    assert_eq!(answer.status, 200, "{tenant}: {}", answer.text());
    let notes: Vec<note::Model> = serde_json::from_slice(&answer.body).unwrap();
    notes.into_iter().map(|note| note.text).collect()
}

async fn write(app: &Instance, tenant: &str, text: &str) -> u16 {
    let request = Request::post("/v1/notes").header("x-tenant-id", tenant);
    let body = Body::from(json!({ "text": text }).to_string());
    Rig::through(app.router(), request.header("content-type", "application/json").body(body).unwrap())
        .await
        .status
}

async fn context(app: &Instance, tenant: &str) -> NotesContext {
    let request = Request::get("/own/notes-context").header("x-tenant-id", tenant);
    let Ok(mut response) = app.router().oneshot(request.body(Body::empty()).unwrap()).await;
    response.extensions_mut().remove().unwrap()
}

fn new(text: &str) -> note::ActiveModel {
    note::ActiveModel { text: Set(text.to_owned()), ..Default::default() }
}

async fn jobs(context: &NotesContext) -> Vec<String> {
    context.scheduler.list().await.unwrap().into_iter().map(|job| job.id).collect()
}

async fn eventually(claim: &str, holds: impl AsyncFn() -> bool) {
    let asking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, asking).await.is_ok(), "not after {PATIENCE:?}: {claim}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_a_tenant_goes_with_its_name_and_nothing_of_it_stays() {
    for place in Place::all().await {
        let what = format!("{} {}", place.what, place.role);
        let app = place.start(&[]).await;
        let tenants = app.tenants();
        let held = context(&app, "acme").await;
        assert_eq!(write(&app, "acme", "the first").await, 201);
        held.cache.set("secret", "of the first").await.unwrap();
        held.scheduler.every("report", Duration::from_secs(3_600), NotesJobs::tally()).await.unwrap();
        held.scheduler.every("paused", Duration::from_secs(3_600), NotesJobs::tally()).await.unwrap();
        held.scheduler.pause("paused").await.unwrap();
        tenants.add_domain(&id("acme"), "acme.test").await.unwrap();
        tenants.create_key(&id("acme"), "a key").await.unwrap();
        // Which is remembered, and was not there.
        assert_eq!(ask(&app, "initech").await.status, 404);

        tenants.rename(&id("acme"), &id("initech")).await.unwrap();
        assert_eq!(ask(&app, "acme").await.status, 404, "{what}");
        assert_eq!(texts(&app, "initech").await, ["the first"], "{what}");
        let now = context(&app, "initech").await;
        assert_eq!(jobs(&now).await, ["notes.sweep", "paused", "report"], "{what}");
        assert!(now.scheduler.get("paused").await.unwrap().unwrap().paused);
        assert_eq!(now.cache.keys("*").await.unwrap(), Vec::<String>::new(), "{what}");
        assert_eq!(tenants.keys(&id("initech")).await.unwrap().len(), 1, "{what}");
        assert_eq!(tenants.domains().await.unwrap()[0].tenant, id("initech"), "{what}");
        assert!(tenants.get(&id("acme")).await.is_err());

        // Who holds the old name can do nothing, neither before nor after it is another tenant's.
        let forged = async || {
            assert!(new("forged").insert(&held.db).await.is_err(), "{what}");
            assert!(held.db.execute_unprepared("INSERT INTO notes (text) VALUES ('forged')").await.is_err());
            assert!(held.db.begin().await.is_err(), "{what}");
            assert!(held.cache.set("secret", "forged").await.is_err(), "{what}");
            assert!(held.scheduler.list().await.is_err(), "{what}");
        };
        forged().await;
        tenants.create(&id("acme")).await.unwrap();
        forged().await;
        assert_eq!(texts(&app, "acme").await, Vec::<String>::new(), "{what}");
        assert_eq!(write(&app, "acme", "the second").await, 201);
        let second = context(&app, "acme").await;
        assert_eq!(jobs(&second).await, ["notes.sweep"], "{what}");
        assert_eq!(second.cache.get::<String>("secret").await.unwrap(), None);
        assert_eq!(write(&app, "initech", "more of the first").await, 201);
        assert_eq!(texts(&app, "initech").await, ["the first", "more of the first"], "{what}");
        assert_eq!(texts(&app, "acme").await, ["the second"], "{what}");
        app.shutdown().await;

        let app = place.start(&[]).await;
        assert_eq!(texts(&app, "initech").await, ["the first", "more of the first"], "{what} after a start");
        assert_eq!(texts(&app, "acme").await, ["the second"], "{what} after a start");
        app.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_cannot_be_given_is_refused_and_nothing_is_changed() {
    let place = Place::sqlite();
    let app = place.start(&[]).await;
    let tenants = app.tenants();
    let refused =
        async |from: &str, to: &str| tenants.rename(&id(from), &id(to)).await.unwrap_err().to_string();
    assert!(refused("public", "initech").await.contains("default tenant"));
    assert!(refused("acme", "public").await.contains("what all tenants share"));
    for (from, to) in [("acme", "globex"), ("acme", "acme"), ("nobody", "initech")] {
        let error = tenants.rename(&id(from), &id(to)).await.unwrap_err();
        assert!(matches!(error, TenantError::Directory { .. }), "{from} {to}: {error}");
    }
    // Data that no tenant has.
    let folder = place._folder.as_ref().unwrap().path().join("data/tenants");
    std::fs::write(folder.join("stray.db"), "").unwrap();
    let error = tenants.rename(&id("acme"), &id("stray")).await.unwrap_err();
    assert!(
        matches!(
            error,
            TenantError::NotRenamed { source: DatabaseError::NameTaken { .. }, is_undone: true, .. }
        ),
        "{error}"
    );
    tenants.suspend(&id("acme"), Some("unpaid")).await.unwrap();
    tenants.rename(&id("acme"), &id("initech")).await.unwrap();
    let answer = ask(&app, "initech").await;
    assert!(answer.status == 403 && answer.text().contains("unpaid"), "{}", answer.text());
    tenants.resume(&id("initech")).await.unwrap();
    assert_eq!(texts(&app, "initech").await, Vec::<String>::new());
    app.shutdown().await;

    let place = Place::sqlite();
    let app = place.start(&[("tenancy.isolate_db", "false")]).await;
    let error = app.tenants().rename(&id("acme"), &id("initech")).await.unwrap_err();
    assert!(
        matches!(error, TenantError::NotRenamed { source: DatabaseError::NotRenamable { .. }, .. }),
        "{error}"
    );
    assert_eq!(ask(&app, "acme").await.status, 200);
    app.shutdown().await;
    let place = Place::sqlite();
    let app = place.start(&[("tenancy.directory", "open")]).await;
    assert!(app.tenants().rename(&id("acme"), &id("initech")).await.is_err());
    app.shutdown().await;
}

/// Reads and writes by both names, and by contexts that are held, until it is told to stop. No answer has the mark of two tenants.
async fn load(
    app: Instance,
    names: Vec<String>,
    worker: usize,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
) {
    let mut round = 0;
    let mut held: Vec<(usize, NotesContext)> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        for name in &names {
            let answer = ask(&app, name).await;
            assert!([200, 404, 503].contains(&answer.status), "{name}: {}", answer.text());
            if answer.status == 200 {
                let text = answer.text();
                let marks: BTreeSet<&str> =
                    text.split("mark ").skip(1).filter_map(|rest| rest.get(..2)).collect();
                assert!(marks.len() <= 1, "{name} has {marks:?}");
                done.fetch_add(1, Ordering::Relaxed);
            }
            let _ = write(&app, name, &format!("by {name} {worker} {round}")).await;
        }
        let request = Request::get("/own/notes-context").header("x-tenant-id", "acme");
        let Ok(mut response) = app.router().oneshot(request.body(Body::empty()).unwrap()).await;
        if round % 20 == 1
            && let Some(context) = response.extensions_mut().remove::<NotesContext>()
        {
            // Which tenant it is of is told by its mark.
            let marks =
                note::Entity::find().filter(note::Column::Text.starts_with("mark ")).all(&context.db).await;
            if let Some(mark) = marks.ok().and_then(|notes| notes.first().cloned()) {
                held.push((mark.text[5..].parse().unwrap(), context));
            }
        }
        for (mark, context) in &held {
            let _ = new(&format!("of {mark:02} {worker} {round}")).insert(&context.db).await;
            if let Ok(notes) =
                note::Entity::find().filter(note::Column::Text.starts_with("mark ")).all(&context.db).await
            {
                assert!(notes.iter().all(|note| note.text == format!("mark {mark:02}")), "{mark}: {notes:?}");
            }
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_renamed_while_in_use_and_the_next_of_its_name_never_have_each_others_rows() {
    for place in Place::all().await {
        let what = format!("{} {}", place.what, place.role);
        let rounds = if place.what == "SQLite" { 12 } else { 2 };
        let app = place.start(&[]).await;
        let names: Vec<String> =
            (0..rounds).map(|round| format!("r{round}")).chain(["acme".to_owned()]).collect();
        assert_eq!(write(&app, "acme", "mark 00").await, 201);
        let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let workers: Vec<_> = (0..3)
            .map(|worker| {
                tokio::spawn(load(app.clone(), names.clone(), worker, Arc::clone(&stop), Arc::clone(&done)))
            })
            .collect();
        for round in 0..rounds {
            let before = done.load(Ordering::Relaxed);
            eventually("the load goes on", async || done.load(Ordering::Relaxed) > before + 20).await;
            // One that is not done because of the load has its old name again.
            let renaming = async || {
                let renamed = app.tenants().rename(&id("acme"), &id(&format!("r{round}"))).await;
                assert!(
                    matches!(
                        &renamed,
                        Ok(())
                            | Err(TenantError::NotRenamed { is_undone: true, .. }
                                | TenantError::RenamingUndone { .. })
                    ),
                    "{what}: {renamed:?}"
                );
                renamed.is_ok()
            };
            eventually("it is renamed", renaming).await;
            app.tenants().create(&id("acme")).await.unwrap();
            assert_eq!(write(&app, "acme", &format!("mark {:02}", round + 1)).await, 201, "{what}");
        }
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.await.unwrap();
        }
        for round in 0..=rounds {
            let name = if round == rounds { "acme".to_owned() } else { format!("r{round}") };
            let all = texts(&app, &name).await;
            let marks: Vec<_> = all.iter().filter(|text| text.starts_with("mark ")).collect();
            assert_eq!(marks, [&format!("mark {round:02}")], "{what} {name}");
            let foreign = all
                .iter()
                .find(|text| text.starts_with("of ") && !text.starts_with(&format!("of {round:02} ")));
            assert_eq!(foreign, None, "{what} {name}");
            // Other than those of the name that it had, which was acme.
            let foreign =
                all.iter().find(|text| text.starts_with("by r") && !text.starts_with(&format!("by {name} ")));
            assert_eq!(foreign, None, "{what} {name}");
        }
        app.shutdown().await;
    }
}

/// Drops a future after so many polls; its result when it came to its end before.
async fn poll_times<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut polls = 0;
    std::future::poll_fn(|cx| {
        use std::task::Poll;
        if polls == times {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            // Dropped at once, while what it waits for is on its way.
            Poll::Pending if polls == times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renaming_that_was_given_up_is_finished_or_undone_by_itself() {
    let place = Place::sqlite();
    let app = place.start(&[]).await;
    assert_eq!(write(&app, "acme", "mine").await, 201);
    // Its only name, once it has one; what was given up may begin a moment later.
    let settled = async || {
        let listed = app.tenants().list().await.unwrap();
        let is_active = |record: &xcore::tenancy::TenantRecord| record.state == xcore::tenancy::State::Active;
        let mut names = listed
            .iter()
            .map(|record| record.id)
            .filter(|name| !["public", "globex"].contains(&name.as_str()));
        let (Some(name), None) = (names.next(), names.next()) else { return None };
        let answer = ask(&app, name.as_str()).await;
        let is_served = listed.iter().all(is_active) && answer.status == 200;
        is_served.then(|| (name, answer.text()))
    };
    for polls in 1.. {
        let next = id(&format!("n{polls}"));
        eventually("it has one name", async || settled().await.is_some()).await;
        let Some((name, notes)) = settled().await else { continue };
        assert!(notes.contains("mine"), "{name} after {polls} polls: {notes}");
        let renamed = poll_times(polls, app.tenants().rename(&name, &next)).await;
        if renamed.is_some_and(|renamed| renamed.is_ok()) {
            assert_eq!(texts(&app, next.as_str()).await, ["mine"]);
            break;
        }
    }
    app.shutdown().await;
}

/// A process that is killed at a moment that nobody chose.
fn killed_after(rig: &Program, arguments: &[&str], delay: Duration) -> bool {
    let mut child = rig.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(delay);
    let _ = child.kill();
    child.wait().unwrap().success()
}

fn rig() -> Program {
    Program::new(env!("CARGO_BIN_EXE_rig"), concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml"))
}

#[test]
fn a_process_that_is_killed_while_it_renames_leaves_one_tenant_with_all_of_its_rows() {
    let rig = rig();
    let file = rig.folder().join("xcore.yaml");
    let yaml = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, yaml.replace("ensure: [acme, globex]", "ensure: []")).unwrap();
    rig.succeed(&["tenant", "create", "n0"]);
    let written = r#"{"text": "mine"}"#;
    rig.succeed(&["call", "notes", "write", written, "--tenant", "n0"]);
    let mut name = "n0".to_owned();
    let mut killed = 0;
    for (round, delay) in (0..40_u64).step_by(2).chain((40..120).step_by(8)).enumerate() {
        let next = format!("n{}", round + 1);
        let done = killed_after(&rig, &["tenant", "rename", &name, &next], Duration::from_millis(delay));
        killed += usize::from(!done);
        rig.serve().stop();
        let known: BTreeSet<String> =
            rig.tenants_in_directory().into_iter().filter(|known| known != "public").collect();
        assert_eq!(known, rig.tenants_on_disk(), "after {delay} ms");
        assert!(known.len() == 1 && (known.contains(&name) || known.contains(&next)), "{known:?}");
        name = known.into_iter().next().unwrap();
        let notes = rig.succeed(&["call", "notes", "list", "--tenant", &name]);
        assert!(notes.contains("mine"), "{notes}");
    }
    assert!(killed > 5, "{killed} were killed");
    assert!(rig.succeed(&["check"]).contains("all is well"));
}

#[test]
fn a_server_that_runs_renames_what_a_command_beside_it_wants_renamed() {
    let rig = rig();
    let server = rig.serve();
    let text = json!({ "text": "mine" });
    xcore_tests::wire::post(server.address, "acme", "/v1/notes", &text).unwrap();
    assert!(rig.succeed(&["tenant", "rename", "acme", "initech"]).contains("acme is initech now"));
    let notes = xcore_tests::wire::get(server.address, "initech", "/v1/notes").unwrap();
    assert!(notes.body.contains("mine"), "{}", notes.body);
    assert_eq!(xcore_tests::wire::get(server.address, "acme", "/v1/notes").unwrap().status, 404);
    let refused = rig.run(&["tenant", "rename", "initech", "globex"]);
    assert_eq!(refused.status.code(), Some(5));
    server.stop();
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_that_want_one_name_one_has_it() {
    let place = Place::postgres("shared").await;
    let (one, two) = (place.start(&[]).await, place.start(&[]).await);
    assert_eq!(write(&one, "acme", "acme").await, 201);
    assert_eq!(write(&one, "globex", "globex").await, 201);
    // Two tenants, one name.
    let wanted = id("wanted");
    let (acme, globex) = (id("acme"), id("globex"));
    let raced = tokio::join!(one.tenants().rename(&acme, &wanted), two.tenants().rename(&globex, &wanted));
    assert!(raced.0.is_ok() != raced.1.is_ok(), "{raced:?}");
    let (won, lost) = if raced.0.is_ok() { ("acme", "globex") } else { ("globex", "acme") };
    for app in [&one, &two] {
        eventually("both see it", async || ask(app, won).await.status == 404).await;
        assert_eq!(texts(app, "wanted").await, [won]);
        assert_eq!(texts(app, lost).await, [lost]);
    }
    let (x, y) = (id("x"), id("y"));
    // One tenant, two names; then a name that a new tenant wants as well.
    let raced = tokio::join!(one.tenants().rename(&wanted, &x), two.tenants().rename(&wanted, &y));
    assert!(raced.0.is_ok() != raced.1.is_ok(), "{raced:?}");
    let has = if raced.0.is_ok() { "x" } else { "y" };
    assert_eq!(texts(&one, has).await, [won]);
    let (from, to) = (id(has), id("z"));
    let raced = tokio::join!(one.tenants().rename(&from, &to), two.tenants().create(&to));
    assert!(raced.0.is_ok() != raced.1.is_ok(), "{raced:?}");
    let expected: &[&str] = if raced.0.is_ok() { &[won] } else { &[] };
    eventually("both see it", async || ask(&two, "z").await.status == 200).await;
    assert_eq!(texts(&two, "z").await, expected);
    // Contexts that the other process holds end as well, before the name is another tenant's.
    let held = context(&two, lost).await;
    one.tenants().rename(&id(lost), &id("last")).await.unwrap();
    one.tenants().create(&id(lost)).await.unwrap();
    assert!(new("forged").insert(&held.db).await.is_err());
    assert_eq!(texts(&one, lost).await, Vec::<String>::new());
    one.shutdown().await;
    two.shutdown().await;
}

/// How many spare tenants `check` tells of.
async fn spares(place: &Place) -> usize {
    let program = rig().set("services.database.url", place.url.as_str()).set("tenancy.db_role", place.role);
    let output = tokio::task::spawn_blocking(move || program.run(&["check"])).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find_map(|line| line.strip_prefix("spares")).unwrap_or("0").trim().to_owned();
    line.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_that_sign_up_at_once_get_a_tenant_of_their_own_each_from_ten_spares() {
    let mut places = vec![Place::sqlite()];
    #[cfg(feature = "postgres")]
    for role in ["shared", "set_role"] {
        places.push(Place::postgres(role).await);
    }
    for place in places {
        let what = format!("{} {}", place.what, place.role);
        let keys = [("tenancy.spare_tenants", "10")];
        let app = place.start(&keys).await;
        // On a server a second process signs up as well.
        let beside = if place.what == "SQLite" { app.clone() } else { place.start(&keys).await };
        let count = async || app.tenants().spare_count().await.unwrap();
        eventually("the spares are ready", async || count().await == 10).await;
        assert_eq!(app.tenants().list().await.unwrap().len(), 3, "a spare is no tenant");
        assert_eq!(ask(&app, "public").await.status, 200);
        let made: Vec<_> = (0..50)
            .map(|number| {
                let app = if number % 2 == 0 { app.clone() } else { beside.clone() };
                tokio::spawn(async move { app.tenants().create(&id(&format!("t{number}"))).await })
            })
            .collect();
        for made in made {
            made.await.unwrap().unwrap();
        }
        for number in 0..50 {
            let name = format!("t{number}");
            assert_eq!(texts(&app, &name).await, Vec::<String>::new(), "{what}");
            assert_eq!(write(&app, &name, &name).await, 201, "{what} {name}");
        }
        for number in 0..50 {
            let name = format!("t{number}");
            assert_eq!(texts(&app, &name).await, [name], "{what}");
        }
        eventually("there are spares again", async || count().await == 10).await;
        assert_eq!(app.tenants().list().await.unwrap().len(), 53);
        app.shutdown().await;
        beside.shutdown().await;
        // Another number of them, which is told by `check`; then none.
        let app = place.start(&[("tenancy.spare_tenants", "3")]).await;
        eventually("some are dropped", async || app.tenants().spare_count().await.unwrap() == 3).await;
        app.shutdown().await;
        let app = place.start(&[]).await;
        eventually("all are dropped", async || app.tenants().spare_count().await.unwrap() == 0).await;
        assert_eq!(spares(&place).await, 0, "{what}");
        app.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spares_of_an_older_program_are_dropped_and_what_is_no_spare_is_left() {
    let place = Place::sqlite();
    let folder = place._folder.as_ref().unwrap().path().join("data");
    std::fs::create_dir_all(folder.join("spares")).unwrap();
    std::fs::write(folder.join("spares/0123456789abcdef-1.db"), "of another one").unwrap();
    let app = place.start(&[("tenancy.spare_tenants", "1")]).await;
    let is_old_one_gone = || !folder.join("spares/0123456789abcdef-1.db").exists();
    eventually("it is gone", async || is_old_one_gone() && app.tenants().spare_count().await.unwrap() == 1)
        .await;
    app.tenants().create(&id("initech")).await.unwrap();
    assert_eq!(texts(&app, "initech").await, Vec::<String>::new());
    app.shutdown().await;
    #[cfg(feature = "postgres")]
    {
        use sea_orm::{ConnectionTrait, Database, Statement};
        let place = Place::postgres("shared").await;
        let beside = Database::connect(&place.url).await.unwrap();
        let sql = "CREATE SCHEMA xcore_spare_old; COMMENT ON SCHEMA xcore_spare_old IS 'a spare tenant of xcore, 1 2 3';
                   CREATE SCHEMA xcore_spare_mine; CREATE TABLE xcore_spare_mine.mine ()";
        beside.execute_unprepared(sql).await.unwrap();
        let app = place.start(&[("tenancy.spare_tenants", "1")]).await;
        let there = async |name: &str| {
            let text = format!("SELECT 1 FROM pg_namespace WHERE nspname = '{name}'");
            let asked = Statement::from_string(beside.get_database_backend(), text);
            beside.query_one_raw(asked).await.unwrap().is_some()
        };
        eventually("it is gone", async || !there("xcore_spare_old").await).await;
        eventually("there is one", async || app.tenants().spare_count().await.unwrap() == 1).await;
        assert!(there("xcore_spare_mine").await);
        app.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_no_half_made_spare() {
    let program = rig().set("tenancy.spare_tenants", "5");
    for delay in (0..60).step_by(12) {
        let server = program.serve();
        let begun = Instant::now();
        thread::sleep(Duration::from_millis(delay));
        server.kill();
        assert!(begun.elapsed() < PATIENCE);
    }
    let server = program.serve();
    let folder = program.folder().join("data/spares");
    eventually("there are five", async || std::fs::read_dir(&folder).is_ok_and(|all| all.count() == 5)).await;
    assert!(program.succeed(&["tenant", "create", "initech"]).contains("created initech"));
    let notes = xcore_tests::wire::get(server.address, "initech", "/v1/notes").unwrap();
    assert_eq!(notes.status, 200, "{}", notes.body);
    eventually("there are five again", async || std::fs::read_dir(&folder).is_ok_and(|all| all.count() == 5))
        .await;
    server.stop();
    let said = program.succeed(&["check"]);
    assert!(
        said.contains("spares         5 spare tenants ready, 5 wanted") && said.contains("all is well"),
        "{said}"
    );
}
