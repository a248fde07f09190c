//! A pooler in transaction mode is refused at start, because sessions would not stay on their tenant behind it.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

use super::{Kitchen, Server};
use crate::db::{Database, DatabaseError};

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_refused() {
    let installed =
        ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].iter().any(|path| std::path::Path::new(path).exists());
    assert!(installed, "this test needs PgBouncer: apt-get install -y pgbouncer");
    let kitchen = Kitchen::new().await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::Builder::new().prefix("xcore-pgbouncer").tempdir().unwrap().keep();
    // Ends when its standard input does.
    let mut pooler = Command::new("sh")
        .arg("-c")
        .arg(include_str!("pooler.sh"))
        .arg("pooler.sh")
        .args([folder.as_os_str(), port.to_string().as_ref(), Server::get().port.to_string().as_ref()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut settings = kitchen.settings.clone();
    let url = kitchen.server.url(&kitchen.name).replace(&kitchen.server.port.to_string(), &port.to_string());
    settings.server = crate::db::DatabaseSettings::new(&url, std::path::Path::new("/")).unwrap().server;
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = PgConnection::connect(&url).await {
        assert!(Instant::now() < deadline, "the pooler does not answer: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let refused = Database::open(settings).await.map(drop);
    drop(pooler.stdin.take());
    pooler.wait().unwrap();
    assert!(matches!(refused, Err(DatabaseError::Pooler { .. })), "{refused:?}");
}
