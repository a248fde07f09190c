//! A PostgreSQL server that ends with this program.

use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Database};

/// A server.
pub struct PostgresServer {
    port: u16,
    _script: Child,
    _until: ChildStdin,
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
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
        found.retain(|bin| bin.join("postgres").exists());
        found.sort();
        let bin = found.pop().expect("this needs a PostgreSQL server: apt-get install -y postgresql");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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
        Self { port, _script: script, _until: until }
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
