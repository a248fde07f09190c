//! An app as a program: started, asked, told to stop, killed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a program may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program with a copy of its `xcore.yaml` in a folder of its own, where its data will be.
#[derive(Debug)]
pub struct Program {
    binary: PathBuf,
    folder: TempDir,
    settings: Vec<(String, String)>,
}

/// A program that serves. Killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it printed before it was ready.
    pub greeting: String,
    log: Option<JoinHandle<String>>,
}

impl Program {
    /// A program and its configuration file.
    ///
    /// # Panics
    /// When the file cannot be copied.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(config, folder.path().join("xcore.yaml")).unwrap();
        let settings = vec![("XCORE__APP__LISTEN".to_owned(), "127.0.0.1:0".to_owned())];
        Self { binary: binary.into(), folder, settings }
    }

    /// Sets a key of `xcore.yaml` for every start.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<String>) -> Self {
        let name = format!("XCORE__{}", key.replace('.', "__").to_uppercase());
        self.settings.push((name, value.into()));
        self
    }

    /// Sets a variable of the environment for every start.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.push((name.to_owned(), value.into()));
        self
    }

    /// Where `xcore.yaml` is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its folder alone, when nothing of it is to be started any more.
    #[must_use]
    pub fn into_folder(self) -> TempDir {
        self.folder
    }

    /// A command line of it, to be started.
    pub fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("RUST_LOG", "warn")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} gave {}: {errors}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts the server and waits until it listens.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn serve(&self) -> Server {
        self.try_serve(&[]).unwrap_or_else(|said| panic!("the server did not start: {said}"))
    }

    /// Starts the server in an environment of its own and waits until it listens.
    ///
    /// # Errors
    /// What it said, when it does not.
    ///
    /// # Panics
    /// When it cannot be run at all.
    pub fn try_serve(&self, environment: &[(&str, &str)]) -> Result<Server, String> {
        let mut command = self.command(["serve"]);
        command.envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, printed) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens once the server is ready; the pipe is emptied all the same.
                let _ = lines.send(line);
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let log = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let mut greeting = String::new();
        let mut address = None;
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = printed.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            greeting.push_str(&line);
            greeting.push('\n');
            address = address.or_else(|| line.split_once("http://")?.1.parse().ok());
            if line.starts_with("stop with") {
                break;
            }
        }
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{greeting}{}", log.join().unwrap_or_default()));
        };
        Ok(Server { child, address, greeting, log: Some(log) })
    }

    /// The names of the tenants that have a file.
    #[must_use]
    pub fn tenants_on_disk(&self) -> BTreeSet<String> {
        let names = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            Some(name.split_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned())
        };
        fs::read_dir(self.folder.path().join("data/tenants"))
            .map(|entries| entries.flatten().filter_map(names).collect())
            .unwrap_or_default()
    }

    /// The names of the tenants in the directory, which must all be active.
    ///
    /// # Panics
    /// When one is not.
    #[must_use]
    #[track_caller]
    pub fn tenants_in_directory(&self) -> BTreeSet<String> {
        let listed = self.succeed(&["tenant", "list"]);
        let active = |line: &str| {
            let (name, state) = line.split_once(' ').unwrap();
            assert_eq!(state.trim(), "active", "{listed}");
            name.to_owned()
        };
        listed.lines().map(active).collect()
    }
}

impl Server {
    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// Asks it to stop.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn terminate(&self) {
        // The standard library sends no signal but SIGKILL; every shell has a `kill` built in.
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits until it has ended; how, and its log.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn wait(mut self) -> (ExitStatus, String) {
        let ended = eventually(|| self.child.try_wait().unwrap());
        let log = self.log.take().and_then(|log| log.join().ok()).unwrap_or_default();
        (ended, log)
    }

    /// Asks it to stop and waits until it has ended well; its log.
    ///
    /// # Panics
    /// When it ends otherwise.
    #[track_caller]
    pub fn stop(self) -> String {
        self.terminate();
        let (status, log) = self.wait();
        assert!(status.success(), "{status}: {log}");
        log
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none for a long time.
#[track_caller]
pub fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it did not happen");
        thread::sleep(Duration::from_millis(5));
    }
}
