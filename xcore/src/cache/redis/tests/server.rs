//! Redis servers that end with the tests.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use super::super::RedisSettings;

/// A server, or a cluster.
pub(crate) struct Server {
    folder: PathBuf,
    ports: Vec<u16>,
    script: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _child: Child,
}

impl Server {
    /// The server of this program, started when it is first asked for.
    pub(crate) fn one() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(1))
    }

    /// The cluster of this program.
    pub(crate) fn cluster() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(3))
    }

    /// Servers of one's own, to be stopped.
    pub(crate) fn start(count: usize) -> Self {
        Self::begin(count, false)
    }

    /// A server that speaks TLS, with a certificate of `ca.crt` in its folder.
    pub(crate) fn with_tls() -> Self {
        Self::begin(1, true)
    }

    fn begin(count: usize, tls: bool) -> Self {
        // Each port is tried once by this process, so that two servers that start together never take one. A cluster talks on ports
        // above these by 10,000.
        static TRIED: AtomicU16 = AtomicU16::new(0);
        let first = std::process::id() as u16 % 1_000 * 10;
        let is_free = |port: &u16| {
            let bind = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
            bind(*port) && bind(*port + 10_000)
        };
        let candidates =
            std::iter::repeat_with(|| 12_000 + (first + TRIED.fetch_add(1, Ordering::Relaxed)) % 10_000);
        let ports: Vec<u16> = candidates.filter(is_free).take(count).collect();
        let folder = tempfile::Builder::new().prefix("xcore-redis").tempdir().unwrap().keep();
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(include_str!("server.sh"))
            .arg("server.sh")
            .arg(&folder)
            .args(ports.iter().map(u16::to_string))
            .envs(tls.then_some(("XCORE_TLS", "1")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let script = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let server = Self { folder, ports, script: Mutex::new(script), _child: child };
        server.hear("ready");
        server
    }

    fn hear(&self, wanted: &str) {
        let mut line = String::new();
        self.script.lock().unwrap().1.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), wanted, "this needs Redis: apt-get install -y redis-server");
    }

    /// Tells it to `stop`, `start`, `freeze` or `thaw`, and waits until it has.
    pub(crate) fn tell(&self, what: &str) {
        writeln!(self.script.lock().unwrap().0, "{what}").unwrap();
        self.hear(match what {
            "stop" => "stopped",
            "freeze" => "frozen",
            "thaw" => "thawed",
            _ => "ready",
        });
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn ports(&self) -> &[u16] {
        &self.ports
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.ports[0])
    }

    /// Settings with keys that nobody else uses.
    pub(crate) fn settings(&self) -> RedisSettings {
        static CACHES: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("t{}-{}", std::process::id(), CACHES.fetch_add(1, Ordering::Relaxed));
        self.settings_with(Some(prefix))
    }

    pub(crate) fn settings_with(&self, prefix: Option<String>) -> RedisSettings {
        // Long, because the tests of all crates may share the machine.
        RedisSettings::new(&self.url(), self.ports.len() > 1, prefix, Duration::from_secs(10)).unwrap()
    }

    /// Runs `redis-cli` on one of the servers.
    pub(crate) fn cli(&self, number: usize, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.ports[number].to_string()])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}
