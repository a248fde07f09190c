//! An app whose tenants are on several PostgreSQL servers: where each one is made, served and dropped.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tempfile::TempDir;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::{Instance, TenantId};
use xcore_tests::{Answer, PostgresServer, Program, Rig, wire};

/// Two databases, which are the servers `eu` and `us` of an app, and its `xcore.yaml`.
struct Place {
    folder: TempDir,
    eu: String,
    us: String,
}

impl Place {
    async fn new() -> Self {
        let server = PostgresServer::get();
        let (eu, us) = (server.url().await, server.url().await);
        Self { folder: tempfile::tempdir().unwrap(), eu, us }
    }

    /// The file of the tests with these servers.
    fn file(&self, servers: &[(&str, &str)]) -> PathBuf {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml")).unwrap();
        let servers: Vec<_> = servers.iter().map(|(name, url)| format!("{name}: \"{url}\"")).collect();
        let servers = format!("{{ servers: {{ {} }} }}", servers.join(", "));
        let (before, after) = text.split_once("{ url: \"${RIG_DATABASE:-sqlite://data}\" }").unwrap();
        let file = self.folder.path().join("xcore.yaml");
        std::fs::write(&file, format!("{before}{servers}{after}")).unwrap();
        file
    }

    async fn app(&self, servers: &[(&str, &str)]) -> Instance {
        Rig::builder().config_file(self.file(servers)).build().await.unwrap()
    }

    fn both(&self) -> [(&str, &str); 2] {
        [("eu", self.eu.as_str()), ("us", self.us.as_str())]
    }

    /// The tenants that have a schema.
    async fn schemas(&self, url: &str) -> Vec<String> {
        let database = Database::connect(url).await.unwrap();
        let text = "SELECT nspname::text FROM pg_namespace WHERE obj_description(oid, 'pg_namespace') = 'a tenant of xcore' ORDER BY 1";
        rows(&database, text).await
    }
}

async fn rows(database: &DatabaseConnection, text: &str) -> Vec<String> {
    let rows =
        database.query_all_raw(Statement::from_string(sea_orm::DbBackend::Postgres, text)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

async fn server_of(app: &Instance, name: &str) -> Option<String> {
    let all = app.tenants().list().await.unwrap();
    all.into_iter().find(|record| record.id == id(name)).unwrap().server.map(|server| server.to_string())
}

async fn status(app: &Instance, tenant: &str) -> u16 {
    let request = Request::builder().uri("/v1/notes").header("x-tenant-id", tenant).body(Body::empty());
    let answer: Answer = Rig::through(app.router(), request.unwrap()).await;
    answer.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_are_spread_and_each_is_made_served_and_dropped_on_its_server() {
    let place = Place::new().await;
    let app = place.app(&place.both()).await;
    // `public` is what all share, so it is on the first.
    assert_eq!(server_of(&app, "public").await.as_deref(), Some("eu"));
    for n in 0..6 {
        app.tenants().create(&id(&format!("t{n}"))).await.unwrap();
    }
    app.tenants().create_on(&id("chosen"), "us").await.unwrap();
    let all = app.tenants().list().await.unwrap();
    let on = |name: &str| all.iter().filter(|record| record.server.as_deref() == Some(name)).count();
    assert_eq!((on("eu"), on("us"), all.len()), (5, 5, 10), "{all:?}");
    for record in &all {
        assert_eq!(status(&app, record.id.as_str()).await, 200, "{record:?}");
    }
    let (eu, us) = (place.schemas(&place.eu).await, place.schemas(&place.us).await);
    assert!(eu.len() == 4 && us.len() == 5 && !eu.iter().any(|name| us.contains(name)), "{eu:?} {us:?}");
    for record in all.iter().filter(|record| record.id.as_str() != "public") {
        let there = if record.server.as_deref() == Some("eu") { &eu } else { &us };
        assert!(there.iter().any(|name| name == record.id.as_str()), "{record:?}");
    }
    app.tenants().purge(&id("chosen")).await.unwrap();
    assert!(!place.schemas(&place.us).await.contains(&"chosen".to_owned()));
    assert_eq!(place.schemas(&place.eu).await, eu);
    let unknown = app.tenants().create_on(&id("lost"), "asia").await.unwrap_err().to_string();
    assert!(unknown.contains("asia") && unknown.contains("eu, us"), "{unknown}");
    // It may come again, elsewhere.
    app.tenants().create_on(&id("chosen"), "eu").await.unwrap();
    assert_eq!(status(&app, "chosen").await, 200);
    assert!(place.schemas(&place.eu).await.contains(&"chosen".to_owned()));
    app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_with_another_name_stays_on_its_server_and_its_old_name_may_be_taken_on_another() {
    let place = Place::new().await;
    let app = place.app(&place.both()).await;
    app.tenants().create_on(&id("before"), "us").await.unwrap();
    let us = Database::connect(&place.us).await.unwrap();
    us.execute_unprepared("INSERT INTO before.notes (text) VALUES ('mine')").await.unwrap();
    app.tenants().rename(&id("before"), &id("after")).await.unwrap();
    assert_eq!(server_of(&app, "after").await.as_deref(), Some("us"));
    assert_eq!(rows(&us, "SELECT text FROM after.notes").await, ["mine"]);
    assert_eq!([status(&app, "after").await, status(&app, "before").await], [200, 404]);
    assert!(!place.schemas(&place.eu).await.contains(&"after".to_owned()));

    app.tenants().create_on(&id("before"), "eu").await.unwrap();
    assert_eq!([status(&app, "after").await, status(&app, "before").await], [200, 200]);
    let eu = Database::connect(&place.eu).await.unwrap();
    assert!(rows(&eu, "SELECT text FROM before.notes").await.is_empty());
    // A name that is taken on another server is taken.
    let taken = app.tenants().rename(&id("after"), &id("before")).await.unwrap_err();
    let source = std::error::Error::source(&taken).unwrap().to_string();
    assert!(source.contains("before"), "{source}");
    assert_eq!(rows(&us, "SELECT text FROM after.notes").await, ["mine"]);
    app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_grows_to_two_and_a_tenant_whose_server_is_not_named_any_more_is_refused() {
    let place = Place::new().await;
    let one = Rig::builder().set("services.database.url", &place.eu).build().await.unwrap();
    assert_eq!(server_of(&one, "acme").await, None);
    one.shutdown().await;

    let two = place.app(&place.both()).await;
    assert_eq!(status(&two, "acme").await, 200, "it is on the first");
    two.tenants().create(&id("initech")).await.unwrap();
    assert_eq!(server_of(&two, "initech").await.as_deref(), Some("us"), "the first has all the others");
    assert_eq!(status(&two, "initech").await, 200);
    two.shutdown().await;

    let less = place.app(&place.both()[..1]).await;
    assert_eq!(status(&less, "acme").await, 200);
    assert_eq!(status(&less, "initech").await, 503);
    let refused = less.tenants().purge(&id("initech")).await.unwrap_err();
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert!(source.contains("`initech`") && source.contains("`us`"), "{source}");
    less.shutdown().await;

    // The first must stay the first.
    let [eu, us] = place.both();
    let swapped = Rig::builder().config_file(place.file(&[us, eu])).build().await.map(drop).unwrap_err();
    let mut source: &dyn std::error::Error = &swapped;
    let mut said = swapped.to_string();
    while let Some(cause) = source.source() {
        said = format!("{said}: {cause}");
        source = cause;
    }
    assert!(said.contains("put `eu` first again"), "{said}");

    let back = place.app(&place.both()).await;
    assert_eq!(status(&back, "acme").await, 200);
    back.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_places_lists_and_checks() {
    let place = Place::new().await;
    let file = place.file(&place.both());
    let rig = Program::new(env!("CARGO_BIN_EXE_rig"), file.to_str().unwrap());
    let ends_with = |code: i32, arguments: &[&str]| {
        let output = rig.run(arguments);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    };
    ends_with(0, &["tenant", "create", "one", "two", "--server", "us"]);
    ends_with(0, &["tenant", "create", "three"]);
    let wrong = ends_with(2, &["tenant", "create", "four", "--server", "asia"]);
    assert!(wrong.contains("there are eu, us"), "{wrong}");
    let listed = ends_with(0, &["tenant", "list"]);
    let of = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(
        of("one").ends_with("us") && of("two").ends_with("us") && of("three").ends_with("eu"),
        "{listed}"
    );
    ends_with(0, &["check"]);

    let configure = |servers: &[(&str, &str)]| {
        std::fs::copy(place.file(servers), rig.folder().join("xcore.yaml")).unwrap();
    };
    configure(&place.both()[..1]);
    let checked = ends_with(6, &["check"]);
    assert!(checked.contains("`one` is on server `us`") && checked.contains("`two` is on"), "{checked}");
    assert!(!checked.contains("three:"), "{checked}");

    // A server that is away: the others are looked at, and served.
    let [eu, _] = place.both();
    configure(&[eu, ("us", "postgres://nobody@127.0.0.1:1/nothing")]);
    let checked = ends_with(6, &["check"]);
    assert!(checked.contains("`us`") && checked.contains("not been reached"), "{checked}");
    ends_with(0, &["tenant", "create", "five"]);
    let begun = ends_with(1, &["tenant", "create", "six", "--server", "us"]);
    assert!(begun.contains("`us`") && begun.contains("not been reached"), "{begun}");
    let elsewhere = ends_with(2, &["tenant", "create", "six", "--server", "eu"]);
    assert!(elsewhere.contains("begun on server `us`"), "{elsewhere}");
    // Nobody asked for another one.
    let begun = ends_with(1, &["tenant", "create", "six"]);
    assert!(begun.contains("not been reached"), "{begun}");
    assert!(place.schemas(&place.eu).await.contains(&"five".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clone_can_be_on_another_server_and_an_archive_can_come_to_one() {
    let place = Place::new().await;
    let app = place.app(&place.both()).await;
    let tenants = app.tenants();
    tenants.create_on(&id("here"), "eu").await.unwrap();
    let eu = Database::connect(&place.eu).await.unwrap();
    eu.execute_unprepared("INSERT INTO here.notes (text) VALUES ('from eu')").await.unwrap();
    tenants.clone_to(&id("here"), &id("twin"), Some("us")).await.unwrap();
    let file = place.folder.path().join("here.tar");
    tenants.export(&id("here"), &file).await.unwrap();
    tenants.import(&file, Some(&id("moved")), Some("us")).await.unwrap();
    let us = Database::connect(&place.us).await.unwrap();
    for name in ["twin", "moved"] {
        assert_eq!(server_of(&app, name).await.as_deref(), Some("us"));
        assert_eq!(rows(&us, &format!("SELECT text FROM {name}.notes")).await, ["from eu"]);
        assert_eq!(status(&app, name).await, 200);
    }
    assert!(tenants.clone_to(&id("here"), &id("lost"), Some("mars")).await.is_err());
    assert_eq!(place.schemas(&place.us).await.iter().filter(|name| *name == "lost").count(), 0);
    app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_waits_for_a_commit_is_brought_from_each_server() {
    let place = Place::new().await;
    let file = place.file(&place.both());
    let rig = Program::new(env!("CARGO_BIN_EXE_rig"), file.to_str().unwrap())
        .set("services.scheduler.backend", "database");
    rig.succeed(&["tenant", "create", "near", "--server", "eu"]);
    rig.succeed(&["tenant", "create", "far", "--server", "us"]);
    let server = rig.serve();
    let ask = |tenant: &str, how: &str| {
        let path = format!("/v1/notes/later/{how}");
        wire::post(server.address, tenant, &path, &serde_json::json!({ "text": "it" })).unwrap().status
    };
    for tenant in ["near", "far"] {
        assert_eq!([ask(tenant, "rollback"), ask(tenant, "commit")], [202, 202]);
    }
    for (url, tenant) in [(&place.eu, "near"), (&place.us, "far")] {
        let database = Database::connect(url).await.unwrap();
        let text = format!("SELECT text FROM {tenant}.notes ORDER BY id");
        for _ in 0..200 {
            if rows(&database, &text).await.len() > 1 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(rows(&database, &text).await, ["it".to_owned(), format!("{tenant} after it 1")]);
        let left = rows(&database, "SELECT tenant FROM xcore_outbox.queue").await;
        // It leaves after it was brought.
        assert!(left.len() <= 1, "{left:?}");
    }
    server.stop();
}
