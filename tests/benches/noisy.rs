//! What one tenant that sends ten times its share does to the latency of nine others, with plans and without.
//!
//! `cargo bench -p xcore-tests --bench noisy`, less than two minutes. The app is a program of its own, asked over TCP. How much it can take is
//! measured first, and a share is a twentieth of that: nine tenants that keep to theirs and one that sends ten together come close to all of it.
//!
//! Requests are sent by a timetable, whether or not earlier ones were answered, and a latency begins when its request was to be sent: a
//! server that stands still is not spared the requests that would have come meanwhile. Client and server share the cores.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench without its app has nothing to measure, and says what it measured"
)]

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use xcore_tests::wire;
use xcore_tests::{Program, Server};

const QUIET: usize = 9;
const NOISY: &str = "noisy";
/// How much of its share a quiet tenant uses: who keeps to it is not to be refused for a jitter of the timetable.
const KEEPS_TO: f64 = 0.8;
const TIMES_ITS_SHARE: f64 = 10.0;
const ROUNDS: usize = 3;
const PHASE: Duration = Duration::from_secs(6);
/// At the begin of each phase, and not measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// Of each tenant.
const CONNECTIONS: usize = 16;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let free = App::start(None);
    let capacity = capacity(free.server.address).await;
    let share = (capacity / 20.0).max(5.0);
    println!("the app takes {capacity:.0} requests a second; a share is {share:.0} a second");
    println!(
        "{QUIET} tenants send {:.0} a second each, `{NOISY}` sends {:.0}",
        share * KEEPS_TO,
        share * TIMES_ITS_SHARE
    );
    let limited = App::start(Some(share));
    let sides = [("without plans", free.server.address), ("with plans", limited.server.address)];
    let mut ratios = [Vec::new(), Vec::new()];
    for round in 1..=ROUNDS {
        for ((name, address), ratios) in sides.iter().zip(&mut ratios) {
            let alone = phase(*address, share, false).await;
            let beside = phase(*address, share, true).await;
            let ratio = beside.at(0.99).as_secs_f64() / alone.at(0.99).as_secs_f64();
            println!("round {round}, {name}: the nine alone {alone}");
            println!("round {round}, {name}: beside `{NOISY}` {beside}; {ratio:.2} times the p99");
            ratios.push(ratio);
        }
    }
    for ((name, _), mut ratios) in sides.iter().zip(ratios) {
        ratios.sort_by(f64::total_cmp);
        let (best, median, worst) = (ratios[0], ratios[ratios.len() / 2], ratios[ratios.len() - 1]);
        println!("{name}: the p99 of the nine is {median:.2} times what it was ({best:.2} to {worst:.2})");
    }
}

fn quiet(number: usize) -> String {
    format!("quiet{number}")
}

/// The app as a program, with a few notes of each tenant.
struct App {
    server: Server,
    _folder: TempDir,
}

impl App {
    /// With a plan of so many requests a second, or without.
    fn start(share: Option<f64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("xcore.yaml");
        let yaml = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml")).unwrap();
        // Notes are made faster than the plan allows, so they are made before there is one.
        fs::write(&config, yaml.replace("tenancy:\n", "tenancy:\n  plans: { share: {} }\n")).unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_rig"), config.to_str().unwrap());
        let names: Vec<String> = (0..QUIET).map(quiet).chain([NOISY.to_owned()]).collect();
        let mut create = vec!["tenant", "create"];
        create.extend(names.iter().map(String::as_str));
        program.succeed(&create);
        let server = program.serve();
        for tenant in &names {
            for number in 0..20 {
                let note = json!({ "text": format!("note {number}") });
                assert_eq!(wire::post(server.address, tenant, "/v1/notes", &note).unwrap().status, 201);
            }
        }
        server.stop();
        let program = match share {
            Some(share) => program
                .set("tenancy.default_plan", "share")
                .set("tenancy.plans.share.requests_per_second", format!("{share:.0}")),
            None => program,
        };
        let server = program.serve();
        Self { server, _folder: program.into_folder() }
    }
}

/// Latencies of answers, and how many requests were refused.
#[derive(Default)]
struct Measured {
    /// Sorted.
    latencies: Vec<Duration>,
    refused: u64,
    /// Of the noisy one.
    others: (u64, u64),
}

impl Measured {
    fn at(&self, quantile: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies[((last as f64 * quantile).round() as usize).min(last)]
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = (self.at(0.5).as_secs_f64() * 1e3, self.at(0.99).as_secs_f64() * 1e3);
        let (served, refused) = self.others;
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms of {}, {} refused", self.latencies.len(), self.refused)?;
        if served + refused > 0 {
            write!(f, " (`{NOISY}`: {served} served, {refused} refused)")?;
        }
        Ok(())
    }
}

/// One tenant's requests, sent by a timetable over a few connections.
struct Sender {
    orders: mpsc::UnboundedSender<Instant>,
    answers: Vec<tokio::task::JoinHandle<Vec<(Instant, Duration, u16)>>>,
    every: Duration,
}

impl Sender {
    fn new(address: SocketAddr, tenant: &str, rate: f64) -> Self {
        let (orders, taken) = mpsc::unbounded_channel::<Instant>();
        let taken = Arc::new(Mutex::new(taken));
        let serve = |_| {
            let (taken, mut connection) = (Arc::clone(&taken), Connection::new(address, tenant));
            tokio::spawn(async move {
                let mut answers = Vec::new();
                loop {
                    // The lock is held only while waiting for an order, which is what the others would do too.
                    let Some(meant) = taken.lock().await.recv().await else { return answers };
                    let status = connection.ask().await.unwrap();
                    answers.push((meant, meant.elapsed(), status));
                }
            })
        };
        let answers = (0..CONNECTIONS).map(serve).collect();
        Self { orders, answers, every: Duration::from_secs_f64(1.0 / rate) }
    }
}

/// Nine tenants that keep to their share, and the noisy one if it is there.
async fn phase(address: SocketAddr, share: f64, is_noisy: bool) -> Measured {
    let mut senders: Vec<Sender> =
        (0..QUIET).map(|number| Sender::new(address, &quiet(number), share * KEEPS_TO)).collect();
    if is_noisy {
        senders.push(Sender::new(address, NOISY, share * TIMES_ITS_SHARE));
    }
    let begun = Instant::now() + Duration::from_millis(50);
    // Each begins a little later than the one before it, so that they do not send all at once.
    let mut timetable: Vec<(Instant, Duration, mpsc::UnboundedSender<Instant>)> = senders
        .iter()
        .enumerate()
        .map(|(at, sender)| (begun + sender.every * at as u32 / 10, sender.every, sender.orders.clone()))
        .collect();
    let answers: Vec<_> = senders.into_iter().map(|sender| sender.answers).collect();
    // A thread of its own: the timers of the runtime are exact to a millisecond only.
    let pacing = thread::spawn(move || {
        while let Some(next) = timetable.iter_mut().min_by_key(|(at, ..)| *at) {
            if next.0 >= begun + PHASE {
                return;
            }
            thread::sleep(next.0.saturating_duration_since(Instant::now()));
            let _ = next.2.send(next.0);
            next.0 += next.1;
        }
    });
    let mut measured = Measured::default();
    for (tenant, answers) in answers.into_iter().enumerate() {
        for answers in answers {
            for (meant, latency, status) in answers.await.unwrap() {
                match (meant >= begun + WARM_UP, tenant < QUIET, status) {
                    (false, ..) => {}
                    (_, true, 200) => measured.latencies.push(latency),
                    (_, true, 429) => measured.refused += 1,
                    (_, false, 200) => measured.others.0 += 1,
                    (_, false, 429) => measured.others.1 += 1,
                    (.., status) => panic!("a request was answered with {status}"),
                }
            }
        }
    }
    pacing.join().unwrap();
    measured.latencies.sort_unstable();
    measured
}

/// How many requests a second are answered when each is sent as soon as the one before it was answered.
async fn capacity(address: SocketAddr) -> f64 {
    let time = Duration::from_secs(4);
    let count = Arc::new(AtomicU64::new(0));
    let asking = (0..32).map(|number| {
        let (count, mut connection) = (Arc::clone(&count), Connection::new(address, &quiet(number % QUIET)));
        tokio::spawn(async move {
            let begun = Instant::now();
            while begun.elapsed() < time {
                assert_eq!(connection.ask().await.unwrap(), 200);
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for asking in asking.collect::<Vec<_>>() {
        asking.await.unwrap();
    }
    count.load(Ordering::Relaxed) as f64 / time.as_secs_f64()
}

/// A connection that one request after the other is sent over.
struct Connection {
    address: SocketAddr,
    request: Vec<u8>,
    stream: Option<TcpStream>,
}

impl Connection {
    fn new(address: SocketAddr, tenant: &str) -> Self {
        let request = format!("GET /v1/notes HTTP/1.1\r\nHost: localhost\r\nX-Tenant-ID: {tenant}\r\n\r\n");
        Self { address, request: request.into_bytes(), stream: None }
    }

    /// Sends the request and reads the answer to its end; its status.
    async fn ask(&mut self) -> io::Result<u16> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "no answer of a known length");
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        stream.write_all(&self.request).await?;
        let (mut answer, mut length) = (Vec::with_capacity(4096), None);
        while length.is_none_or(|length| answer.len() < length) {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(invalid());
            }
            if length.is_none()
                && let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")
            {
                let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
                let body = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                let body: usize = body.and_then(|body| body.trim().parse().ok()).ok_or_else(invalid)?;
                length = Some(end + 4 + body);
            }
        }
        self.stream = Some(stream);
        let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok());
        status.and_then(|status| status.parse().ok()).ok_or_else(invalid)
    }
}
