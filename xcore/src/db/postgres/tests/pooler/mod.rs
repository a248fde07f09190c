//! Behind PgBouncer: what is refused, and everything else in transaction mode.

mod apart;
mod cancellation;
mod chaos;
mod in_full;
mod metrics;
mod notices;
mod probe;
mod raw_sql;
mod roles;
#[cfg(feature = "schema-sync")]
mod schema_sync;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Kitchen, Server};
use crate::db::postgres::Pooled;
use crate::db::settings::ServerUrl;
use crate::db::{Database, DatabaseError, DatabaseSettings};

/// A PgBouncer in front of a server.
struct Pooler {
    port: u16,
    script: Mutex<Child>,
}

impl Pooler {
    /// It ignores no parameter that a client opens its connection with: behind it nothing may rest on one.
    fn start(server: &Server, mode: &str, sessions: usize) -> Self {
        Self::ignoring(server, mode, sessions, "")
    }

    fn ignoring(server: &Server, mode: &str, sessions: usize, ignored: &str) -> Self {
        let installed = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .iter()
            .any(|path| std::path::Path::new(path).exists());
        assert!(installed, "this test needs PgBouncer: apt-get install -y pgbouncer");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::Builder::new().prefix("xcore-pgbouncer").tempdir().unwrap().keep();
        // Ends when its standard input does.
        let script = Command::new("sh")
            .arg("-c")
            .arg(include_str!("pooler.sh"))
            .arg("pooler.sh")
            .arg(folder)
            .args([&port.to_string(), &server.port.to_string(), mode, &sessions.to_string(), ignored])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(error) = TcpStream::connect(("127.0.0.1", port)) {
            assert!(Instant::now() < deadline, "the pooler does not answer: {error}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { port, script: Mutex::new(script) }
    }

    fn restart(&self) {
        self.script.lock().unwrap().stdin.as_mut().unwrap().write_all(b"restart\n").unwrap();
    }

    /// The settings for a database of the server, through this pooler.
    fn settings(&self, direct: &DatabaseSettings, server: &Server) -> DatabaseSettings {
        let url = direct.server.as_ref().unwrap().as_str();
        let through = url.replace(&format!(":{}/", server.port), &format!(":{}/", self.port));
        DatabaseSettings {
            server: Some(ServerUrl::new(&through).unwrap()),
            direct_server: direct.server.clone(),
            ..direct.clone()
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let mut script = self.script.lock().unwrap();
        drop(script.stdin.take());
        script.wait().unwrap();
    }
}

/// A service behind a pooler that has fewer sessions than the service has connections.
pub(super) struct Behind {
    pub(super) kitchen: Kitchen,
    pooled: Arc<Pooled>,
    pooler: Pooler,
}

impl Behind {
    async fn new(sessions: usize) -> Self {
        Self::with(sessions, |_| {}).await
    }

    pub(super) async fn with(sessions: usize, change: impl FnOnce(&mut DatabaseSettings)) -> Self {
        Self::on(Server::get(), sessions, change).await
    }

    async fn on(
        server: &'static Server,
        sessions: usize,
        change: impl FnOnce(&mut DatabaseSettings),
    ) -> Self {
        let mut kitchen = Kitchen::on(server, |_| {}).await;
        let pooler = Pooler::start(server, "transaction", sessions);
        let mut settings = pooler.settings(&kitchen.settings, server);
        change(&mut settings);
        let pooled = Arc::new(Pooled::open(settings.clone()).await.unwrap());
        kitchen.database = Database::on(pooled.clone());
        kitchen.postgres = Arc::clone(&pooled.direct);
        kitchen.settings = settings;
        kitchen.clients = Some(Arc::clone(pooled.units.pool()));
        Self { kitchen, pooled, pooler }
    }
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_refused_where_nothing_is_said_of_it() {
    let kitchen = Kitchen::new().await;
    let pooler = Pooler::ignoring(kitchen.server, "transaction", 20, "options, extra_float_digits");
    let settings =
        DatabaseSettings { direct_server: None, ..pooler.settings(&kitchen.settings, kitchen.server) };
    let refused = Database::open(settings).await.map(drop);
    assert!(matches!(refused, Err(DatabaseError::Pooler { .. })), "{refused:?}");
    let says = refused.unwrap_err().to_string();
    assert!(says.contains("`pooler: transaction`") && says.contains("direct_url"), "{says}");
}
