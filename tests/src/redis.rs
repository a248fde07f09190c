//! A Redis server that ends with this program.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

/// A server of one's own.
pub struct RedisServer {
    port: u16,
    script: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _child: Child,
}

impl RedisServer {
    /// Starts one.
    ///
    /// # Panics
    /// When Redis is not installed.
    #[must_use]
    pub fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::Builder::new().prefix("xcore-redis").tempdir().unwrap().keep();
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(include_str!("../../xcore/src/cache/redis/tests/server.sh"))
            .arg("server.sh")
            .arg(folder)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let script = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let server = Self { port, script: Mutex::new(script), _child: child };
        server.hear("ready");
        server
    }

    fn hear(&self, wanted: &str) {
        let mut line = String::new();
        self.script.lock().unwrap().1.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), wanted, "this needs Redis: apt-get install -y redis-server");
    }

    /// Stops it, or starts it again, empty.
    ///
    /// # Panics
    /// When it has gone away.
    pub fn run(&self, is_running: bool) {
        let (word, answer) = if is_running { ("start", "ready") } else { ("stop", "stopped") };
        writeln!(self.script.lock().unwrap().0, "{word}").unwrap();
        self.hear(answer);
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` says to a command.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output =
            Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}
