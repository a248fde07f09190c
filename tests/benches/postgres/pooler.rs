//! A PgBouncer in transaction mode, through which both sides go.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// A pooler, until it is dropped.
pub(crate) struct Pooler {
    port: u16,
    script: Child,
    /// The script ends with it.
    until: Option<ChildStdin>,
}

impl Pooler {
    /// In front of the server at `port`, with so many sessions for a database.
    pub(crate) fn start(server: u16, sessions: u32) -> io::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = tempfile::Builder::new().prefix("xcore-pgbouncer").tempdir()?.keep();
        let mut script = Command::new("sh")
            .arg("-c")
            .arg(include_str!("../../../xcore/src/db/postgres/tests/pooler/pooler.sh"))
            .arg("pooler.sh")
            .arg(folder)
            .args([
                &port.to_string(),
                &server.to_string(),
                "transaction",
                &sessions.to_string(),
                "extra_float_digits",
            ])
            .stdin(Stdio::piped())
            .spawn()?;
        let until = script.stdin.take();
        let pooler = Self { port, script, until };
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(error) = TcpStream::connect(("127.0.0.1", port)) {
            if Instant::now() > deadline {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(pooler)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.until.take());
        let _ended = self.script.wait();
    }
}
