//! Several instances of the app on one PostgreSQL server: what one of them does, the others see, and no more than that.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::json;
use tower::ServiceExt;
use xcore::Instance as App;
use xcore::TenantId;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::db::DatabaseError;
use xcore::prelude::*;
use xcore_tests::plugins::notes::{NotesContext, note};
use xcore_tests::{Answer, PostgresServer, Program, Rig, wire};

/// The address of an empty database.
async fn database() -> String {
    PostgresServer::get().url().await
}

async fn instance(url: &str) -> App {
    Rig::builder().set("services.database.url", url).build().await.unwrap()
}

async fn status(app: &App, tenant: &str) -> u16 {
    let request = Request::builder().uri("/v1/notes").header("x-tenant-id", tenant).body(Body::empty());
    let answer: Answer = Rig::through(app.router(), request.unwrap()).await;
    answer.status
}

async fn context(app: &App, tenant: &str) -> NotesContext {
    let request = Request::builder().uri("/own/notes-context").header("x-tenant-id", tenant);
    let Ok(mut response) = app.router().oneshot(request.body(Body::empty()).unwrap()).await;
    response.extensions_mut().remove().unwrap()
}

/// Waits until something holds, for at most twenty seconds.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_start_at_once_make_everything_once() {
    let url = database().await;
    let (one, two, three) = tokio::join!(instance(&url), instance(&url), instance(&url));
    for app in [&one, &two, &three] {
        for tenant in ["acme", "globex", "public"] {
            assert_eq!(status(app, tenant).await, 200, "{tenant}");
        }
        assert_eq!(app.tenants().list().await.unwrap().len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_that_create_or_delete_one_tenant_each_finds_it_whole_or_gone() {
    let url = database().await;
    let (one, two) = tokio::join!(instance(&url), instance(&url));
    let id = TenantId::parse("initech").unwrap();
    for _ in 0..3 {
        let made = tokio::join!(one.tenants().create(&id), two.tenants().create(&id));
        assert!(made.0.is_ok() || made.1.is_ok(), "{made:?}");
        for app in [&one, &two] {
            eventually("the tenant on both", async || status(app, "initech").await == 200).await;
        }
        let gone = tokio::join!(one.tenants().delete(&id), two.tenants().delete(&id));
        assert!(gone.0.is_ok() || gone.1.is_ok(), "{gone:?}");
        assert!(one.tenants().list().await.unwrap().iter().all(|record| record.id != id));
        for app in [&one, &two] {
            eventually("the end of the tenant on both", async || status(app, "initech").await == 404).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_deleted_by_one_instance_is_gone_for_a_context_that_another_one_holds() {
    let url = database().await;
    let (one, two) = tokio::join!(instance(&url), instance(&url));
    let id = TenantId::parse("acme").unwrap();
    let held = context(&two, "acme").await;
    note::ActiveModel { text: Set("mine".to_owned()), ..Default::default() }.insert(&held.db).await.unwrap();
    // What a fall-through would find: a shared table of the same name.
    let beside = Database::connect(&url).await.unwrap();
    let rows = "INSERT INTO public.notes (text) VALUES ('of all')";
    beside.execute_unprepared(rows).await.unwrap();

    let until = Instant::now() + Duration::from_secs(6);
    let reading = tokio::spawn(async move {
        let mut ended = 0;
        while Instant::now() < until {
            match note::Entity::find().all(&held.db).await {
                Ok(notes) => assert!(notes.iter().all(|note| note.text == "mine"), "{notes:?}"),
                Err(error) => {
                    let missing = matches!(
                        DatabaseError::find_in(&error),
                        Some(DatabaseError::Missing { .. } | DatabaseError::Removing { .. })
                    );
                    assert!(missing, "{error}");
                    ended += 1;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        ended
    });
    one.tenants().delete(&id).await.unwrap();
    one.tenants().create(&id).await.unwrap();
    eventually("the new tenant on the other one", async || status(&two, "acme").await == 200).await;
    let new = context(&two, "acme").await;
    assert!(note::Entity::find().all(&new.db).await.unwrap().is_empty());
    assert!(reading.await.unwrap() > 0, "the context of the old one has ended");
    let sent =
        Request::post("/v1/notes").header("x-tenant-id", "acme").header("content-type", "application/json");
    let sent = sent.body(Body::from(json!({ "text": "new" }).to_string())).unwrap();
    assert!(Rig::through(two.router(), sent).await.status < 300);
    let left = Statement::from_string(
        sea_orm::DbBackend::Postgres,
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
    );
    eventually("every lock given back", async || {
        let row = beside.query_one_raw(left.clone()).await.unwrap().unwrap();
        row.try_get_by_index::<i64>(0).unwrap() == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stuck_hooks_keep_no_other_tenant_from_being_created() {
    let url = database().await;
    let folder = tempfile::tempdir().unwrap();
    let builder = Rig::builder().set("services.database.url", &url).set("app.hook_timeout", "10m");
    let app = builder.set("plugins.probe.config.folder", folder.path().display().to_string()).build().await;
    let app = app.unwrap();
    let stuck: Vec<_> = (0..12).map(|n| format!("stuck{n}")).collect();
    let told = |tenant: &str| folder.path().join(format!("created.{tenant}"));
    let creating: Vec<_> = stuck
        .iter()
        .map(|tenant| {
            std::fs::write(told(tenant), "stay").unwrap();
            let (app, id) = (app.clone(), TenantId::parse(tenant).unwrap());
            tokio::spawn(async move { app.tenants().create(&id).await })
        })
        .collect();
    eventually("all hooks run", async || {
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        stuck.iter().all(|tenant| log.contains(&format!("probe created {tenant}\n")))
    })
    .await;
    let free = TenantId::parse("free").unwrap();
    app.tenants().create(&free).await.unwrap();
    app.tenants().delete(&free).await.unwrap();
    for tenant in &stuck {
        std::fs::remove_file(told(tenant)).unwrap();
    }
    for created in creating {
        created.await.unwrap().unwrap();
    }
    assert_eq!(status(&app, "stuck11").await, 200);
}

/// The program on a database whose owner is no superuser, in an environment called production.
async fn program(is_superuser: bool) -> Program {
    let server = PostgresServer::get();
    let name = server.database().await;
    let beside =
        Database::connect(format!("postgres://postgres@127.0.0.1:{}/{name}", server.port())).await.unwrap();
    let rights = if is_superuser { "SUPERUSER" } else { "CREATEROLE" };
    let text = format!(
        "CREATE ROLE of_{name} LOGIN {rights} PASSWORD 'known'; ALTER DATABASE {name} OWNER TO of_{name}"
    );
    beside.execute_unprepared(&text).await.unwrap();
    let url = format!("postgres://of_{name}:known@127.0.0.1:{}/{name}?sslmode=disable", server.port());
    let rig = concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml");
    let program = Program::new(env!("CARGO_BIN_EXE_rig"), rig).set("services.database.url", url);
    std::fs::write(program.folder().join("xcore.production.yaml"), "").unwrap();
    program
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_is_moved_from_one_kind_of_role_to_another_by_a_start() {
    let mut program = program(false).await;
    for (done, role) in ["shared", "login", "set_role", "login", "shared"].into_iter().enumerate() {
        program = program.set("tenancy.db_role", role);
        let server = program.serve();
        for tenant in ["acme", "globex"] {
            let sent =
                wire::post(server.address, tenant, "/v1/notes", &json!({ "text": format!("{role} {done}") }))
                    .unwrap();
            assert_eq!(sent.status, 201, "{role}: {}", sent.body);
            let notes = wire::get(server.address, tenant, "/v1/notes").unwrap().json();
            assert_eq!(notes.as_array().unwrap().len(), done + 1, "{role}");
        }
        program.succeed(&["tenant", "create", "initech"]);
        assert_eq!(wire::get(server.address, "initech", "/v1/notes").unwrap().json(), json!([]), "{role}");
        program.succeed(&["tenant", "delete", "initech", "--yes"]);
        assert!(program.succeed(&["--env", "production", "check"]).contains("all is well"), "{role}");
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_refuses_a_superuser_where_customers_are_served() {
    let program = program(true).await;
    program.serve().stop();
    let said = program.succeed(&["check"]);
    assert!(said.contains("warning: the login") && said.contains("all is well"), "{said}");
    let refused = program.run(&["--env", "production", "check"]);
    let said = String::from_utf8_lossy(&refused.stdout);
    assert_eq!(refused.status.code(), Some(6), "{said}");
    assert!(
        said.contains("NOSUPERUSER") && !said.contains("warning") && said.contains("1 left to do"),
        "{said}"
    );
}
