//! A real server, one for all tests of a run.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection as _, Either, PgConnection, Row};
use tokio::runtime::Runtime;

/// Ends the server when the test process ends: its standard input closes.
struct Server {
    port: u16,
    _script: Child,
}

static SERVER: OnceLock<Server> = OnceLock::new();

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

fn server() -> &'static Server {
    SERVER.get_or_init(|| {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::Builder::new().prefix("qualify-pg").tempdir().unwrap().keep();
        let script = Command::new("sh")
            .arg("-c")
            .arg(include_str!("server.sh"))
            .arg("server.sh")
            .args([folder.as_os_str(), port.to_string().as_ref(), binaries().as_os_str()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        Server { port, _script: script }
    })
}

/// A connection, with answers as text.
pub(super) struct Connection {
    connection: PgConnection,
    runtime: Runtime,
}

/// Rows as text and the number of changed rows, or the code of the error.
pub(super) type Answer = Result<(Vec<Vec<Option<String>>>, u64), String>;

impl Connection {
    pub(super) fn open(database: &str) -> Self {
        let deadline = Instant::now() + Duration::from_secs(60);
        let url = format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", server().port);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        loop {
            match runtime.block_on(PgConnection::connect(&url)) {
                Ok(connection) => return Self { connection, runtime },
                Err(error) => assert!(Instant::now() < deadline, "the server does not answer: {error:?}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A new database, with what `setup` makes in it, and a connection to it.
    pub(super) fn database(name: &str, setup: &str) -> Self {
        Self::open("postgres").run(&format!("CREATE DATABASE {name}"));
        let mut connection = Self::open(name);
        connection.run(setup);
        connection
    }

    pub(super) fn run(&mut self, sql: &str) {
        self.try_ask(sql).unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    }

    pub(super) fn ask(&mut self, sql: &str) -> Answer {
        self.try_ask(sql).map_err(|error| {
            let code = error.as_database_error().and_then(|error| error.code());
            code.map_or_else(|| error.to_string(), |code| code.into_owned())
        })
    }

    /// By a simple message, whose answers are text.
    fn try_ask(&mut self, sql: &str) -> sqlx::Result<(Vec<Vec<Option<String>>>, u64)> {
        let (mut rows, mut changed) = (Vec::new(), 0);
        let mut answers = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(&mut self.connection);
        while let Some(answer) = self.runtime.block_on(answers.try_next())? {
            match answer {
                Either::Left(done) => changed += done.rows_affected(),
                Either::Right(row) => {
                    let text = |at| row.try_get_raw(at).ok()?.as_str().ok().map(str::to_owned);
                    rows.push((0..row.len()).map(text).collect());
                }
            }
        }
        Ok((rows, changed))
    }

    /// The first column of all rows.
    pub(super) fn column(&mut self, sql: &str) -> Vec<String> {
        let (rows, _) = self.ask(sql).unwrap_or_else(|code| panic!("{code}: {sql}"));
        rows.into_iter().map(|mut row| row.swap_remove(0).unwrap_or_default()).collect()
    }

    /// The first column of the first row.
    pub(super) fn one(&mut self, sql: &str) -> String {
        self.column(sql).swap_remove(0)
    }
}
