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
use xcore_tests::plugins::notes::{NotesContext, NotesJobs, note};
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
        let gone = tokio::join!(one.tenants().purge(&id), two.tenants().purge(&id));
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
    one.tenants().purge(&id).await.unwrap();
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
    app.tenants().purge(&free).await.unwrap();
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
        program.succeed(&["tenant", "purge", "initech", "--yes"]);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_instance_changes_is_seen_by_another_within_a_second() {
    let url = database().await;
    let (one, two) = tokio::join!(instance(&url), instance(&url));
    let acme = TenantId::parse("acme").unwrap();
    assert_eq!(status(&two, "acme").await, 200);
    let seen_by_two = async |wanted: u16| {
        let begun = Instant::now();
        while status(&two, "acme").await != wanted {
            assert!(begun.elapsed() < Duration::from_secs(10), "{wanted} is not seen");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        begun.elapsed()
    };
    let mut told = Vec::new();
    for _ in 0..10 {
        one.tenants().suspend(&acme, Some("why")).await.unwrap();
        told.push(seen_by_two(403).await);
        one.tenants().resume(&acme).await.unwrap();
        told.push(seen_by_two(200).await);
    }
    told.sort_unstable();
    println!("seen by the other one after {:?} (median), {:?} (worst)", told[10], told[19]);
    assert!(told[19] < Duration::from_secs(1), "{told:?}");
    assert!(told[10] < Duration::from_millis(250), "nobody listens: {told:?}");

    // The sessions that listen are lost again and again: then the directory is asked.
    let beside = Database::connect(&url).await.unwrap();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    let mut asked = Vec::new();
    for _ in 0..3 {
        beside.execute_unprepared(end).await.unwrap();
        one.tenants().suspend(&acme, None).await.unwrap();
        asked.push(seen_by_two(403).await);
        beside.execute_unprepared(end).await.unwrap();
        one.tenants().resume(&acme).await.unwrap();
        asked.push(seen_by_two(200).await);
    }
    println!("without a session that listens after {asked:?}");
    assert!(asked.iter().all(|time| *time < Duration::from_secs(2)), "{asked:?}");
    eventually("somebody listens again", async || {
        let listening = "SELECT count(*) FROM pg_stat_activity \
                         WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        let row = beside
            .query_one_raw(Statement::from_string(sea_orm::DbBackend::Postgres, listening))
            .await
            .unwrap()
            .unwrap();
        row.try_get_by_index::<i64>(0).unwrap() == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_tenant_that_one_instance_suspends_rest_in_the_other() {
    let url = database().await;
    let (one, two) = tokio::join!(instance(&url), instance(&url));
    let acme = TenantId::parse("acme").unwrap();
    let held = context(&two, "acme").await;
    held.scheduler.every("often", Duration::from_secs(1), NotesJobs::tally()).await.unwrap();
    let tallied = async || held.cache.get::<serde_json::Value>("tally").await.unwrap().is_some();
    eventually("the job runs", async || tallied().await).await;
    one.tenants().suspend(&acme, None).await.unwrap();
    eventually("the other one refuses", async || status(&two, "acme").await == 403).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    held.cache.delete("tally").await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!tallied().await, "a job of the suspended tenant ran");
    one.tenants().resume(&acme).await.unwrap();
    eventually("the job goes on", async || tallied().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_jobs_run_once_over_all_instances_each_in_the_context_of_its_tenant() {
    let url = database().await;
    let stored = async || {
        let builder = Rig::builder().set("services.database.url", &url);
        let builder =
            builder.set("services.scheduler.backend", "database").set("services.scheduler.lease", "3s");
        builder.build().await.unwrap()
    };
    let (one, two) = tokio::join!(stored(), stored());
    let begun = Instant::now();
    for tenant in ["acme", "globex"] {
        let held = context(&one, tenant).await;
        held.scheduler.every("jot", Duration::from_secs(1), NotesJobs::jot()).await.unwrap();
    }
    let texts = async |tenant: &str| -> Vec<String> {
        let notes = Rig::get_from(&two, tenant, "/v1/notes").await.json();
        notes.as_array().unwrap().iter().map(|note| note["text"].as_str().unwrap().to_owned()).collect()
    };
    eventually("both have had a few", async || {
        texts("acme").await.len() > 3 && texts("globex").await.len() > 3
    })
    .await;
    // The other one sees it, and it is the tenant's alone.
    context(&two, "acme").await.scheduler.pause("jot").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let rests = texts("acme").await.len();
    one.shutdown().await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(context(&two, "acme").await.scheduler.get("jot").await.unwrap().unwrap().paused);
    for tenant in ["acme", "globex"] {
        let texts = texts(tenant).await;
        assert!(
            texts.iter().all(|text| text.split_once(' ').is_some_and(|(whose, _)| whose == tenant)),
            "{tenant}: {texts:?}"
        );
        let ticks = usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
        assert!(texts.len() <= ticks, "{tenant}: {} runs of {ticks} ticks", texts.len());
        if tenant == "acme" {
            assert_eq!(texts.len(), rests, "it rests");
        } else {
            assert!(texts.len() > rests, "it went on in the instance that is left");
        }
    }
    two.shutdown().await;
}

/// Waits until a server answers that has been started.
async fn answering(url: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let asked = tokio::time::timeout(Duration::from_secs(2), Database::connect(url)).await;
        if matches!(asked, Ok(Ok(_))) {
            return;
        }
        assert!(Instant::now() < deadline, "the server does not come back: {asked:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The answer of an action that needs no database, and how long it took.
async fn whose(app: &App, tenant: &str) -> (Answer, Duration) {
    let begun = Instant::now();
    let answer = Rig::get_from(app, tenant, "/v1/echo").await;
    (answer, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_tenants_are_served_while_the_database_is_away_and_all_is_as_before_when_it_is_back() {
    let server = PostgresServer::own();
    let url = server.url().await;
    let builder = Rig::builder().set("services.database.url", &url).set("tenancy.directory_ttl", "1s");
    let app = builder.set("tenancy.stale_for", "25s").build().await.unwrap();
    let suspended = TenantId::parse("globex").unwrap();
    assert_eq!(whose(&app, "globex").await.0.status, 200);
    app.tenants().suspend(&suspended, Some("why")).await.unwrap();
    assert_eq!((whose(&app, "acme").await.0.status, whose(&app, "globex").await.0.status), (200, 403));
    let deleted = TenantId::parse("initech").unwrap();
    app.tenants().create(&deleted).await.unwrap();
    assert_eq!(whose(&app, "initech").await.0.status, 200);
    app.tenants().delete(&deleted).await.unwrap().expect("it can be restored");
    for (away, back) in [("freeze", "thaw"), ("stop", "start")] {
        server.tell(away);
        let told = Instant::now();
        // Since when the server has been away, as the app sees it. It takes its time on a busy machine.
        let mut since = None;
        let (mut served, mut refused, mut slowest) = (0, 0, Duration::ZERO);
        while since.is_none_or(|since: Instant| since.elapsed() < Duration::from_secs(12)) {
            let (acme, took) = whose(&app, "acme").await;
            assert_eq!(acme.status, 200, "{away} after {:?}: {acme:?}", told.elapsed());
            assert!(took < Duration::from_secs(3), "a known tenant waited {took:?}");
            slowest = slowest.max(took);
            served += 1;
            let globex = whose(&app, "globex").await.0.status;
            assert!([403, 503].contains(&globex), "a suspended tenant was served");
            let initech = whose(&app, "initech").await.0.status;
            assert!([404, 503].contains(&initech), "a deleted tenant was served");
            let (nobody, took) = whose(&app, &format!("nobody{away}{served}")).await;
            if since.is_some() || nobody.status != 404 {
                assert_eq!((nobody.status, nobody.header("retry-after")), (503, Some("1")), "{nobody:?}");
                assert!(took < Duration::from_secs(6), "an unknown one waited {took:?}");
                since.get_or_insert_with(Instant::now);
                refused += 1;
            }
            assert!(
                since.is_some() || told.elapsed() < Duration::from_secs(15),
                "{away}: it goes on answering"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("{away}: {served} served, the slowest in {slowest:?}, {refused} unknown refused");
        server.tell(back);
        // How long the server takes is the server's affair.
        let begun = Instant::now();
        answering(&url).await;
        println!("{back}: the server answers after {:?}", begun.elapsed());
        let begun = Instant::now();
        let mut last = [0; 3];
        while last != [200, 404, 403] {
            for (tenant, last) in ["acme", "nobody", "globex"].iter().zip(&mut last) {
                *last = status(&app, tenant).await;
            }
            // Whose fault it is: the server's, or ours.
            if begun.elapsed() > Duration::from_secs(10) {
                let server = Database::connect(&url).await.map(drop);
                panic!("{back}: after 10 s the answers are {last:?}; the server: {server:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("{back}: all is as before after {:?}", begun.elapsed());
    }
    // Away for too long.
    server.tell("stop");
    let begun = Instant::now();
    let mut last = 200;
    while last == 200 && begun.elapsed() < Duration::from_secs(40) {
        last = whose(&app, "acme").await.0.status;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(last, 503);
    assert!(begun.elapsed() > Duration::from_secs(20), "{:?}", begun.elapsed());
    server.tell("start");
    answering(&url).await;
    eventually("it is served again", async || status(&app, "acme").await == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lookup_holds_a_connection_while_the_handler_runs() {
    let url = database().await;
    let builder = Rig::builder().set("services.database.url", &url).set("services.database.connections", "1");
    let app = builder.build().await.unwrap();
    let waiting = Rig::get_from(&app, "acme", "/v1/echo/wait/2000");
    let others = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begun = Instant::now();
        assert_eq!(status(&app, "globex").await, 200);
        begun.elapsed()
    };
    let (waited, took) = tokio::join!(waiting, others);
    assert!(waited.status == 200 && took < Duration::from_millis(1_500), "{took:?}");
}
