//! A PostgreSQL server that ends with this program.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Database};

/// A server.
pub struct PostgresServer {
    port: u16,
    _script: Child,
    until: Mutex<ChildStdin>,
}

impl PostgresServer {
    /// The server of this program. It is started when it is first asked for.
    ///
    /// # Panics
    /// When PostgreSQL is not installed.
    pub fn get() -> &'static Self {
        static SERVER: OnceLock<PostgresServer> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    fn start() -> Self {
        Self::on(std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port())
    }

    fn on(port: u16) -> Self {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
        found.retain(|bin| bin.join("postgres").exists());
        found.sort();
        let bin = found.pop().expect("this needs a PostgreSQL server: apt-get install -y postgresql");
        let folder = tempfile::Builder::new().prefix("xcore-pg").tempdir().unwrap().keep();
        let mut script = Command::new("sh")
            .arg("-c")
            .arg(include_str!("../../xcore/src/db/postgres/tests/server.sh"))
            .arg("server.sh")
            .args([folder.as_os_str(), port.to_string().as_ref(), bin.as_os_str()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let until = script.stdin.take().unwrap();
        Self { port, _script: script, until: Mutex::new(until) }
    }

    /// A server that is nobody else's, for tests that stop it.
    ///
    /// # Panics
    /// As [`PostgresServer::get`].
    #[must_use]
    pub fn own() -> Self {
        // Below the ports that the system gives away. While the server is stopped somebody else may have one of those, and an app that
        // tries again and again to connect to it gets it itself in time: TCP connects a port to itself, and the server cannot start.
        let from = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
        let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
        Self::on((from..32_000).find(is_free).expect("a free port"))
    }

    /// Tells it to `stop`, `start`, `freeze` or `thaw`.
    ///
    /// # Panics
    /// When it has gone away.
    pub fn tell(&self, what: &str) {
        writeln!(self.until.lock().unwrap(), "{what}").unwrap();
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name of an empty database.
    ///
    /// # Panics
    /// When the server does not answer within a minute.
    pub async fn database(&self) -> String {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let address = format!("postgres://postgres@127.0.0.1:{}/postgres", self.port);
        let deadline = Instant::now() + Duration::from_secs(60);
        let admin = loop {
            match Database::connect(&address).await {
                Ok(admin) => break admin,
                Err(error) => assert!(Instant::now() < deadline, "the server does not answer: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let name = format!("rig_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        name
    }

    /// The address of an empty database.
    ///
    /// # Panics
    /// As [`PostgresServer::database`].
    pub async fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.port, self.database().await)
    }
}
