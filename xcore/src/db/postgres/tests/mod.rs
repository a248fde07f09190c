//! What the service promises, tried on a real server.

mod cancellation;
mod chaos;
mod claims;
mod dropping;
mod hidden_code;
mod in_full;
mod isolation;
mod metrics;
mod migrations;
mod outbox;
mod pooler;
mod raw_sql;
mod rename;
mod replay;
mod replicas;
mod roles;
#[cfg(feature = "schema-sync")]
mod schema_sync;
mod seats;
mod servers;
mod sessions;
mod stale_plans;
mod switch;
mod tls;
mod transactions;
mod transactions_in_full;

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, PaginatorTrait};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::Postgres;
use super::pool::Pool;
use crate::db::{Database, DatabaseSettings, TenantDb};
use crate::tenancy::{Tenant, TenantId};

/// A cake of one tenant.
mod cake {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "cake")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        pub price: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLES: &str =
    "CREATE TABLE cake (id serial PRIMARY KEY, name text NOT NULL UNIQUE, price integer NOT NULL)";

/// A server. All tests of a run share one, except those that restart it.
struct Server {
    port: u16,
    folder: PathBuf,
    script: std::sync::Mutex<Child>,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicUsize = AtomicUsize::new(0);

fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("postgres").exists())
        .collect();
    found.sort();
    found.pop().expect("these tests need a PostgreSQL server: apt-get install -y postgresql")
}

impl Server {
    fn start() -> Self {
        Self::with("")
    }

    /// With more options of the server.
    fn with(options: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::Builder::new().prefix("xcore-pg").tempdir().unwrap().keep();
        let script = Command::new("sh")
            .arg("-c")
            .arg(include_str!("server.sh"))
            .arg("server.sh")
            .args([folder.as_os_str(), port.to_string().as_ref(), binaries().as_os_str(), options.as_ref()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        Self { port, folder, script: std::sync::Mutex::new(script) }
    }

    fn get() -> &'static Self {
        SERVER.get_or_init(Self::start)
    }

    fn restart(&self) {
        let mut script = self.script.lock().unwrap();
        script.stdin.as_mut().unwrap().write_all(b"restart\n").unwrap();
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// A connection beside the service, as soon as the server answers.
    async fn connect(&self, database: &str) -> PgConnection {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match PgConnection::connect(&self.url(database)).await {
                Ok(connection) => return connection,
                Err(error) => assert!(Instant::now() < deadline, "the server does not answer: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// A service on a database of its own.
struct Kitchen {
    database: Database,
    postgres: Arc<Postgres>,
    name: String,
    settings: DatabaseSettings,
    server: &'static Server,
    /// The connections of the service to a pooler, where it is behind one.
    clients: Option<Arc<Pool>>,
}

/// The address of a new database on the server of this run, for tests of what is kept in one.
pub(crate) async fn url_of_a_new_database() -> String {
    let server = Server::get();
    let name = format!("kitchen_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let mut admin = server.connect("postgres").await;
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    server.url(&name)
}

impl Kitchen {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut DatabaseSettings)) -> Self {
        Self::on(Server::get(), change).await
    }

    async fn on(server: &'static Server, change: impl FnOnce(&mut DatabaseSettings)) -> Self {
        let name = format!("kitchen_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut admin = server.connect("postgres").await;
        admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let mut settings = DatabaseSettings::new(&server.url(&name), std::path::Path::new("/")).unwrap();
        settings.acquire_timeout = Duration::from_secs(20);
        settings.drain_timeout = Duration::from_secs(5);
        change(&mut settings);
        let postgres = Arc::new(Postgres::open(settings.clone()).await.unwrap());
        Self { database: Database::on(postgres.clone()), postgres, name, settings, server, clients: None }
    }

    /// The connections that serve.
    fn pool(&self) -> &Arc<Pool> {
        self.clients.as_ref().unwrap_or(&self.postgres.pool)
    }

    /// A session that no service has touched.
    async fn beside(&self) -> PgConnection {
        self.server.connect(&self.name).await
    }

    async fn sql(&self, text: &str) {
        self.beside().await.execute(AssertSqlSafe(text.to_owned())).await.unwrap();
    }

    fn handle(&self, name: &str) -> TenantDb {
        self.database.tenant(&Tenant::admit(id(name), 0))
    }

    /// A tenant with its tables.
    async fn tenant(&self, name: &str) -> TenantDb {
        self.database.provision(&id(name)).await.unwrap();
        let db = self.handle(name);
        db.execute_unprepared(TABLES).await.unwrap();
        db
    }
}

fn new(name: &str) -> cake::ActiveModel {
    cake::ActiveModel { name: Set(name.to_owned()), price: Set(1), ..Default::default() }
}

async fn bake<C: ConnectionTrait>(db: &C, name: &str) -> cake::Model {
    new(name).insert(db).await.unwrap()
}

async fn count<C: ConnectionTrait>(db: &C) -> u64 {
    cake::Entity::find().count(db).await.unwrap()
}

/// Waits until something holds, for at most ten seconds.
async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Polls a future at most so many times and drops it. Its result when it came to its end.
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
            // Dropped at once, while the answer is on its way.
            Poll::Pending if polls == times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
