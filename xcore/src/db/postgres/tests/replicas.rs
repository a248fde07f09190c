//! `read()`, with a replica and without.

use std::net::TcpListener;
use std::sync::atomic::AtomicBool;

use futures_util::StreamExt;
use sea_orm::{DbErr, Statement, StreamTrait, TransactionTrait};

use super::*;
use crate::db::{DatabaseError, DbRole, ReadDb, ServerUrl};

/// A streaming replica of a server of its own.
struct Copy {
    primary: &'static Server,
    port: u16,
    script: std::sync::Mutex<Child>,
}

impl Copy {
    async fn of(primary: &'static Server) -> Self {
        // The primary answers before it is copied.
        primary.connect("postgres").await;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::Builder::new().prefix("xcore-pg-replica").tempdir().unwrap().keep();
        let script = Command::new("sh")
            .arg("-c")
            .arg(include_str!("replica.sh"))
            .arg("replica.sh")
            .args([folder.as_os_str(), port.to_string().as_ref(), binaries().as_os_str()])
            .arg(primary.port.to_string())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        Self { primary, port, script: std::sync::Mutex::new(script) }
    }

    fn tell(&self, what: &str) {
        let mut script = self.script.lock().unwrap();
        script.stdin.as_mut().unwrap().write_all(format!("{what}\n").as_bytes()).unwrap();
    }

    fn url(&self, database: &str) -> String {
        self.primary.url(database).replace(&self.primary.port.to_string(), &self.port.to_string())
    }

    /// A service on the primary that has this replica.
    async fn kitchen(&self) -> Kitchen {
        self.kitchen_with(|_| {}).await
    }

    async fn kitchen_with(&self, change: impl FnOnce(&mut DatabaseSettings)) -> Kitchen {
        let (port, primary) = (self.port, self.primary);
        let kitchen = Kitchen::on(primary, |settings| {
            let url = settings
                .server
                .as_ref()
                .unwrap()
                .as_str()
                .replace(&primary.port.to_string(), &port.to_string());
            settings.replicas = vec![ServerUrl::new(&url).unwrap()];
            change(settings);
        })
        .await;
        kitchen.until_up().await;
        kitchen
    }

    /// Waits until the replica has all that the primary has.
    async fn catch_up(&self) {
        let there: String =
            value(&mut self.primary.connect("postgres").await, "SELECT pg_current_wal_lsn()::text").await;
        let text = format!("SELECT (pg_last_wal_replay_lsn() >= '{there}'::pg_lsn)::text");
        eventually("catching up", async || match PgConnection::connect(&self.url("postgres")).await {
            Ok(mut connection) => value(&mut connection, &text).await == "true",
            Err(_) => false,
        })
        .await;
    }

    /// Lets the replica stay where it is, or go on.
    async fn replay(&self, goes_on: bool) {
        let text = if goes_on { "SELECT pg_wal_replay_resume()" } else { "SELECT pg_wal_replay_pause()" };
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        connection.execute(text).await.unwrap();
        let paused = "SELECT (pg_get_wal_replay_pause_state() = 'paused')::text";
        while !goes_on && value(&mut connection, paused).await != "true" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let mut script = self.script.lock().unwrap();
        drop(script.stdin.take());
        script.wait().unwrap();
    }
}

impl Kitchen {
    async fn until_up(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.postgres.replicas_up() == 0 {
            assert!(Instant::now() < deadline, "the replica does not come up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn value(connection: &mut PgConnection, text: &str) -> String {
    sqlx::query_scalar(AssertSqlSafe(text.to_owned())).fetch_one(connection).await.unwrap()
}

/// A server whose databases are copied. One for all tests here; each has a copy of its own.
fn primary() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

fn raw(text: &str) -> Statement {
    Statement::from_string(sea_orm::DbBackend::Postgres, text)
}

/// Whether a replica answers.
async fn is_replica(db: &ReadDb) -> bool {
    let row = db.query_one_raw(raw("SELECT pg_is_in_recovery()")).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

fn is_read_only<T: std::fmt::Debug>(result: Result<T, DbErr>) -> bool {
    let error = result.unwrap_err();
    let refused = matches!(DatabaseError::find_in(&error), Some(DatabaseError::ReadOnly));
    assert!(refused || error.to_string().contains("read-only"), "{error}");
    refused
}

/// What must not work through a handle that reads, whoever answers.
async fn refuses_writes(db: &ReadDb) {
    assert!(is_read_only(new("x").insert(db).await));
    assert!(is_read_only(db.execute_unprepared("DELETE FROM cake").await));
    assert!(is_read_only(
        db.query_one_raw(raw("INSERT INTO cake (name, price) VALUES ('x', 1) RETURNING id")).await
    ));
    assert!(is_read_only(db.query_all_raw(raw("DELETE FROM cake RETURNING id")).await));
    assert!(is_read_only(db.query_one_raw(raw("SELECT nextval('cake_id_seq')")).await));
    let mut rows = db.stream_raw(raw("DELETE FROM cake RETURNING id")).await;
    let refused = match &mut rows {
        Ok(rows) => rows.next().await.unwrap().map(drop),
        Err(error) => Err(error.clone()),
    };
    assert!(is_read_only(refused));
    let transaction = db.begin().await.unwrap();
    assert!(is_read_only(new("x").insert(&transaction).await));
    transaction.rollback().await.unwrap();
}

async fn names(db: &impl ConnectionTrait) -> Vec<String> {
    let mut names: Vec<String> =
        cake::Entity::find().all(db).await.unwrap().into_iter().map(|cake| cake.name).collect();
    names.sort();
    names
}

fn life(kitchen: &Kitchen, name: &str, life: i64) -> TenantDb {
    kitchen.database.tenant(&Tenant::admit(id(name), life))
}

async fn tenant(kitchen: &Kitchen, name: &str, of: i64) -> TenantDb {
    kitchen.database.provision(&id(name)).await.unwrap();
    let db = life(kitchen, name, of);
    db.execute_unprepared(TABLES).await.unwrap();
    db
}

#[tokio::test]
async fn without_a_replica_a_read_is_answered_by_the_primary() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    bake(&acme, "tart").await;
    let read = acme.read();
    assert!(!is_replica(&read).await);
    assert_eq!(names(&read).await, ["tart"]);
    refuses_writes(&read).await;
    assert_eq!(count(&acme).await, 1);
    let rows: Vec<_> =
        read.stream(&sea_orm::QueryTrait::into_query(cake::Entity::find())).await.unwrap().collect().await;
    assert_eq!(rows.len(), 1);
    assert!(matches!(
        kitchen.handle("ghost").read().query_one_raw(raw("SELECT 1 FROM cake")).await,
        Err(error) if matches!(DatabaseError::find_in(&error), Some(DatabaseError::Missing { .. }))
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_answers_reads_of_the_same_tenant_and_no_writes() {
    let copy = Copy::of(primary()).await;
    let kitchen = copy.kitchen().await;
    let (acme, globex) = (tenant(&kitchen, "acme", 1).await, tenant(&kitchen, "globex", 2).await);
    bake(&acme, "tart").await;
    bake(&globex, "flan").await;
    copy.catch_up().await;
    for _ in 0..3 {
        for (db, name) in [(&acme, "tart"), (&globex, "flan")] {
            let read = db.read();
            assert!(is_replica(&read).await);
            assert_eq!(names(&read).await, [name]);
            let rows: Vec<_> = read.stream_raw(raw("SELECT name FROM cake")).await.unwrap().collect().await;
            assert_eq!(rows.len(), 1);
            assert_eq!(rows[0].as_ref().unwrap().try_get::<String>("", "name").unwrap(), name);
            let transaction = read.begin().await.unwrap();
            assert_eq!(names(&transaction).await, [name]);
            transaction.commit().await.unwrap();
        }
    }
    refuses_writes(&acme.read()).await;
    // As raw SQL may do to a session.
    acme.read().query_one_raw(raw("SELECT set_config('search_path', 'globex', false)")).await.unwrap();
    assert_eq!(names(&acme.read()).await, ["tart"]);
    assert_eq!(names(&globex.read()).await, ["flan"]);
    // No life, no replica: an earlier tenant of the name could not be told from this one.
    assert!(!is_replica(&kitchen.handle("acme").read()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_behind_shows_no_earlier_tenant_of_the_name() {
    for wrong in [false, true] {
        let copy = Copy::of(primary()).await;
        let kitchen = copy.kitchen().await;
        kitchen.postgres.ignore_numbers(wrong);
        let first = tenant(&kitchen, "acme", 1).await;
        bake(&first, "secret of the first").await;
        copy.catch_up().await;
        assert_eq!(names(&first.read()).await, ["secret of the first"]);
        assert!(is_replica(&first.read()).await);

        copy.replay(false).await;
        kitchen.database.remove(&id("acme"), &()).await.unwrap();
        let second = tenant(&kitchen, "acme", 2).await;
        bake(&second, "tart").await;
        let seen = names(&second.read()).await;
        copy.replay(true).await;
        if wrong {
            assert_eq!(seen, ["secret of the first"], "the mutant is caught by this test");
            continue;
        }
        assert_eq!(seen, ["tart"], "the primary answers");
        copy.catch_up().await;
        assert_eq!(names(&second.read()).await, ["tart"]);
        assert!(is_replica(&second.read()).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_does_not_have_yet_is_read_from_the_primary() {
    let copy = Copy::of(primary()).await;
    let kitchen = copy.kitchen().await;
    let acme = tenant(&kitchen, "acme", 1).await;
    copy.catch_up().await;
    copy.replay(false).await;
    let globex = tenant(&kitchen, "globex", 2).await;
    bake(&globex, "flan").await;
    assert_eq!(names(&globex.read()).await, ["flan"], "a schema");
    acme.execute_unprepared("CREATE TABLE later (id int); INSERT INTO later VALUES (1)").await.unwrap();
    assert!(acme.read().query_one_raw(raw("SELECT id FROM later")).await.unwrap().is_some(), "a table");
    bake(&acme, "tart").await;
    assert_eq!(count(&acme.read()).await, 0, "rows may be late");
    copy.replay(true).await;
    eventually("the row", async || count(&acme.read()).await == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_go_on_when_the_replica_is_killed_hangs_and_comes_back() {
    let copy = Copy::of(primary()).await;
    let kitchen = copy.kitchen().await;
    let mut tenants = Vec::new();
    for n in 0..8 {
        let db = tenant(&kitchen, &format!("t{n}"), n + 1).await;
        bake(&db, &format!("cake of t{n}")).await;
        tenants.push(db);
    }
    copy.catch_up().await;
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..16_usize)
        .map(|reader| {
            let (tenants, stop) = (tenants.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let (mut reads, mut slowest) = (0, Duration::ZERO);
                while !stop.load(Ordering::Relaxed) {
                    let n = (reader + reads) % tenants.len();
                    let before = Instant::now();
                    assert_eq!(names(&tenants[n].read()).await, [format!("cake of t{n}")]);
                    slowest = slowest.max(before.elapsed());
                    reads += 1;
                }
                (reads, slowest)
            })
        })
        .collect();
    let pause = || tokio::time::sleep(Duration::from_millis(700));
    pause().await;
    assert!(is_replica(&tenants[0].read()).await);
    copy.tell("kill");
    pause().await;
    // How long the signals take is up to the machine.
    eventually("the primary answers", async || !is_replica(&tenants[0].read()).await).await;
    copy.tell("start");
    kitchen.until_up().await;
    assert!(is_replica(&tenants[0].read()).await);
    pause().await;
    copy.tell("pause");
    tokio::time::sleep(Duration::from_secs(4)).await;
    eventually("the primary answers", async || !is_replica(&tenants[0].read()).await).await;
    copy.tell("resume");
    kitchen.until_up().await;
    pause().await;
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        let (reads, slowest) = reader.await.unwrap();
        assert!(reads > 100, "{reads}");
        assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    }
    eventually("all sessions are back", async || kitchen.postgres.pool.free_places().0 == 16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_no_replica_of_this_one_is_not_used() {
    // Another cluster, and the primary itself.
    let other = Kitchen::new().await;
    let itself = Kitchen::on(primary(), |_| {}).await;
    for address in [other.server.url(&other.name), itself.server.url(&itself.name)] {
        let kitchen = Kitchen::on(primary(), |settings| {
            settings.replicas = vec![ServerUrl::new(&address).unwrap()];
        })
        .await;
        let acme = tenant(&kitchen, "acme", 1).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(kitchen.postgres.replicas_up(), 0);
        bake(&acme, "tart").await;
        assert_eq!(names(&acme.read()).await, ["tart"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_not_read_with_the_apps_rights_where_tenants_have_their_own() {
    let copy = Copy::of(primary()).await;
    let kitchen = |role| {
        let copy = &copy;
        Kitchen::on(primary(), move |settings| {
            let url = settings.server.as_ref().unwrap().as_str();
            let url = url.replace(&copy.primary.port.to_string(), &copy.port.to_string());
            settings.replicas = vec![ServerUrl::new(&url).unwrap()];
            settings.db_role = role;
        })
    };
    let (shared, roles) = (kitchen(DbRole::Shared).await, kitchen(DbRole::SetRole).await);
    let [one, other] = [tenant(&shared, "acme", 1).await, tenant(&roles, "acme", 1).await];
    copy.catch_up().await;
    eventually("the replica answers", async || is_replica(&one.read()).await).await;
    // As long as it took there.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!is_replica(&other.read()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_becomes_a_primary_is_not_used_any_more() {
    let copy = Copy::of(primary()).await;
    let kitchen = copy.kitchen().await;
    let acme = tenant(&kitchen, "acme", 1).await;
    copy.catch_up().await;
    assert!(is_replica(&acme.read()).await);
    PgConnection::connect(&copy.url("postgres")).await.unwrap().execute("SELECT pg_promote()").await.unwrap();
    eventually("it is noticed", async || kitchen.postgres.replicas_up() == 0).await;
    bake(&acme, "tart").await;
    assert_eq!(names(&acme.read()).await, ["tart"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_a_tenant_that_has_ended_reads_nothing_more() {
    let copy = Copy::of(primary()).await;
    let kitchen = copy.kitchen().await;
    tenant(&kitchen, "acme", 1).await;
    copy.catch_up().await;
    let proof = Tenant::admit(id("acme"), 1);
    let transaction = kitchen.database.tenant(&proof).read().begin().await.unwrap();
    assert_eq!(count(&transaction).await, 0);
    // A removal in this process waits for it, as for one on the primary.
    assert!(matches!(kitchen.database.remove(&id("acme"), &()).await, Err(DatabaseError::StillUsed { .. })));
    // In another process it cannot; there the end of the tenant is what it notices.
    proof.end();
    let ended = cake::Entity::find().count(&transaction).await.unwrap_err();
    assert!(matches!(DatabaseError::find_in(&ended), Some(DatabaseError::Missing { .. })), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_view_hides_leaves_nothing_in_a_session_on_a_replica() {
    let copy = Copy::of(primary()).await;
    let kitchen = copy.kitchen_with(|settings| settings.connections = 1).await;
    let (acme, globex) = (tenant(&kitchen, "acme", 1).await, tenant(&kitchen, "globex", 2).await);
    bake(&globex, "flan").await;
    let hides = "CREATE FUNCTION whisper() RETURNS text LANGUAGE sql AS $$ SELECT set_config('x.y', 'secret of acme', false) $$;
         CREATE VIEW quiet AS SELECT whisper() AS said";
    // Once defined by this process, which knows of it before the replica has it, and once by others, which is noticed
    // within a second.
    for by_others in [false, true] {
        if by_others {
            kitchen.sql(&format!("SET search_path = acme; DROP FUNCTION whisper CASCADE; {hides}")).await;
        } else {
            acme.execute_unprepared(hides).await.unwrap();
        }
        copy.catch_up().await;
        if by_others {
            tokio::time::sleep(Duration::from_millis(2500)).await;
        }
        hears_nothing(&acme, &globex).await;
    }
}

/// What `quiet` of one tenant leaves in the only session is not there for the other one.
async fn hears_nothing(acme: &TenantDb, globex: &TenantDb) {
    for _ in 0..3 {
        let said = acme.read().query_one_raw(raw("SELECT said FROM quiet")).await.unwrap().unwrap();
        assert_eq!(said.try_get_by_index::<String>(0).unwrap(), "secret of acme");
        let heard =
            globex.read().query_one_raw(raw("SELECT current_setting('x.y', true)")).await.unwrap().unwrap();
        let heard: Option<String> = heard.try_get_by_index(0).unwrap();
        assert!(heard.as_deref().unwrap_or_default().is_empty(), "{heard:?}");
        assert!(is_replica(&globex.read()).await);
        assert_eq!(names(&globex.read()).await, ["flan"]);
    }
}
