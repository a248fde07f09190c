//! Several processes on one server: the test program, which starts itself again as replicas.

use std::collections::HashMap;
use std::env;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::*;
use crate::cache::LoadOptions;

const REPLICAS: usize = 3;
const KEYS: usize = 24;

/// What a replica is told, and by which it knows that it is one.
const ROLE: &str = "XCORE_CACHE_REPLICA";

/// An old value may be served for so long after a newer one was acknowledged.
const BOUND: u64 = 50_000;

fn microseconds() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// Starts this program as a replica.
fn replica(server: &Server, role: &str, prefix: &str, number: usize, seconds: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "cache::tiered::tests::replicas::a_replica", "--nocapture", "--test-threads", "1"])
        .env(ROLE, format!("{role} {} {prefix} {number} {seconds}", server.url()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lines that a replica printed after its mark.
fn told(child: Child) -> Vec<Vec<String>> {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "a replica failed:\n{text}");
    let lines = text.lines().filter_map(|line| line.split_once("told: ").map(|(_, told)| told));
    lines.map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

fn tell(line: &str) {
    // Not `println!`, which the test harness may keep.
    writeln!(std::io::stdout(), "\ntold: {line}").unwrap();
}

/// The other processes. Without a role it has nothing to do.
#[test]
fn a_replica() {
    let Ok(role) = env::var(ROLE) else { return };
    let words: Vec<&str> = role.split(' ').collect();
    let (what, url, prefix) = (words[0], words[1], words[2]);
    let (number, seconds) = (words[3].parse().unwrap(), words[4].parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let settings =
            RedisSettings::new(url, false, Some(prefix.to_owned()), Duration::from_secs(10)).unwrap();
        let (cache, backend) = tiered(settings);
        open(&backend).await;
        let acme = tenant(&cache, "acme");
        match what {
            "load" => load(&acme).await,
            "tls" => {
                acme.set("key", &1).await.unwrap();
                tell(&format!("got {:?} {:?}", acme.get::<i32>("key").await, acme.keys("*").await));
            }
            _ => write_and_read(acme, number, Duration::from_secs(seconds)).await,
        }
    });
}

async fn load(acme: &TenantCache) {
    acme.incr("ready", 1).await.unwrap();
    while acme.get::<usize>("ready").await.unwrap() != Some(REPLICAS) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let tasks = (0..200).map(|_| {
        let acme = acme.clone();
        tokio::spawn(async move {
            let loader = acme.clone();
            let load = move || async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                loader.incr("loads", 1).await
            };
            let options = LoadOptions::new(Duration::from_secs(60)).lease(Duration::from_secs(20));
            acme.get_or_load_with("key", options, load).await.unwrap()
        })
    });
    for value in join_all(tasks).await {
        tell(&format!("loaded {}", value.unwrap()));
    }
}

/// Each key has one writer, which counts it up. Prints when writes were acknowledged and how old what was read was.
async fn write_and_read(acme: TenantCache, number: usize, time: Duration) {
    let end = Instant::now() + time;
    let seen: Arc<Vec<AtomicU64>> = Arc::new((0..KEYS).map(|_| AtomicU64::new(0)).collect());
    // How long this process was kept from running: no bound holds for one that does not run.
    let stall = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    tasks.push(tokio::spawn({
        let stall = Arc::clone(&stall);
        async move {
            while Instant::now() < end {
                let before = Instant::now();
                tokio::time::sleep(Duration::from_millis(2)).await;
                let late = before.elapsed().saturating_sub(Duration::from_millis(3));
                stall.fetch_max(u64::try_from(late.as_micros()).unwrap(), Ordering::Relaxed);
            }
            Vec::new()
        }
    }));
    for key in (0..KEYS).filter(|key| key % REPLICAS == number) {
        let acme = acme.clone();
        tasks.push(tokio::spawn(async move {
            let (mut version, mut lines) = (0_u64, Vec::new());
            while Instant::now() < end {
                version += 1;
                // One whose connection was cut may or may not have been done. It counts as not done.
                if acme.set(&format!("k{key}"), &version).await.is_ok() {
                    lines.push(format!("wrote {key} {version} {}", microseconds()));
                }
                tokio::time::sleep(Duration::from_millis(3 + version % 20)).await;
            }
            lines
        }));
    }
    for reader in 0..4_usize {
        let (acme, seen) = (acme.clone(), Arc::clone(&seen));
        tasks.push(tokio::spawn(async move {
            let (mut at, mut lines) = (reader, Vec::new());
            while Instant::now() < end {
                at = (at * 7 + 5) % KEYS;
                let (known, begin) = (seen[at].load(Ordering::SeqCst), microseconds());
                if let Ok(version) = acme.get::<u64>(&format!("k{at}")).await {
                    let version = version.unwrap_or(0);
                    assert!(version >= known, "key {at}: {version} after {known}");
                    seen[at].fetch_max(version, Ordering::SeqCst);
                    lines.push(format!("read {at} {version} {begin}"));
                }
                at += usize::try_from(begin % 3).unwrap();
                tokio::time::sleep(Duration::from_micros(300)).await;
            }
            lines
        }));
    }
    for task in tasks {
        for line in task.await.unwrap() {
            tell(&line);
        }
    }
    tell(&format!("stall {}", stall.load(Ordering::Relaxed)));
}

/// In a process of its own, because whom a process trusts is read from its environment.
#[test]
fn a_server_with_tls_is_trusted_by_its_certificate() {
    let server = Server::with_tls();
    let url = server.url().replace("redis://", "rediss://");
    let ask = |authorities: &Path| {
        let mut child = Command::new(env::current_exe().unwrap());
        child
            .args([
                "--exact",
                "cache::tiered::tests::replicas::a_replica",
                "--nocapture",
                "--test-threads",
                "1",
            ])
            .env(ROLE, format!("tls {url} shop 0 0"))
            .env("SSL_CERT_FILE", authorities)
            .stdout(Stdio::piped());
        child.spawn().unwrap()
    };
    let told = told(ask(&server.folder().join("ca.crt")));
    assert_eq!(told[0].join(" "), "got Ok(Some(1)) Ok([\"key\"])");
    // Whom nobody known has signed for is not trusted, and nothing is sent to it.
    let stranger = ask(Path::new("/etc/ssl/certs/ca-certificates.crt")).wait_with_output().unwrap();
    assert!(!stranger.status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_load_once() {
    let server = Server::one();
    let prefix = server.settings().prefix.unwrap();
    let replicas: Vec<Child> =
        (0..REPLICAS).map(|number| replica(server, "load", &prefix, number, 0)).collect();
    let loaded: Vec<_> = replicas.into_iter().flat_map(told).collect();
    assert_eq!(loaded.len(), 3 * 200);
    assert!(loaded.iter().all(|line| line[1] == "1"), "loaded more than once");
    assert_eq!(server.cli(0, &["get", &format!("{prefix}:acme:loads")]), "1");
}

/// 8 s; longer with `XCORE_CHAOS_SECONDS=60 cargo test -p xcore --lib --all-features replicas_agree -- --nocapture`, which prints the ages.
#[test]
fn replicas_agree_within_milliseconds_though_connections_are_cut() {
    let seconds: u64 = env::var("XCORE_CHAOS_SECONDS").map_or(8, |text| text.parse().unwrap());
    let server = Server::start(1);
    let prefix = server.settings().prefix.unwrap();
    let replicas: Vec<Child> =
        (0..REPLICAS).map(|number| replica(&server, "chaos", &prefix, number, seconds)).collect();
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut cuts = 0_usize;
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100 + 137 * (cuts as u64 % 5)));
        let list = server.cli(0, &["client", "list"]);
        let ids: Vec<&str> =
            list.lines().filter_map(|line| line.split(' ').next()?.strip_prefix("id=")).collect();
        if let Some(id) = ids.get(cuts * 5 % ids.len().max(1)) {
            server.cli(0, &["client", "kill", "id", id]);
        }
        if cuts % 7 == 6 {
            server.cli(0, &["client", "kill", "type", "normal"]);
        }
        cuts += 1;
    }
    let told: Vec<_> = replicas.into_iter().map(told).collect();
    let number = |text: &str| text.parse::<u64>().unwrap();
    let mut writes: HashMap<&str, Vec<(u64, u64)>> = HashMap::new();
    for line in told.iter().flatten().filter(|line| line[0] == "wrote") {
        writes.entry(&line[1]).or_default().push((number(&line[2]), number(&line[3])));
    }
    for writes in writes.values_mut() {
        writes.sort_unstable();
    }
    let stall =
        told.iter().flatten().filter(|line| line[0] == "stall").map(|line| number(&line[1])).max().unwrap();
    // For how long the value had been replaced when the read began: since the first newer one was acknowledged.
    let mut ages: Vec<u64> = Vec::new();
    for line in told.iter().flatten().filter(|line| line[0] == "read") {
        let (version, begin) = (number(&line[2]), number(&line[3]));
        let of = writes.get(line[1].as_str()).map_or(&[][..], Vec::as_slice);
        let newer = of.get(of.partition_point(|(written, _)| *written <= version));
        ages.push(newer.map_or(0, |(_, acknowledged)| begin.saturating_sub(*acknowledged)));
    }
    ages.sort_unstable();
    let at = |part: f64| ages[((ages.len() - 1) as f64 * part) as usize];
    let stale = ages.iter().filter(|age| **age > 0).count();
    println!(
        "{} reads in {REPLICAS} processes, {cuts} cuts: {stale} of a value that was replaced, p99 {} µs, p99.9 {} µs, longest {} µs; \
         longest stall {stall} µs",
        ages.len(),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    assert!(ages.len() > 1_000 && cuts > 5 && writes.values().map(Vec::len).sum::<usize>() > 500);
    assert!(at(1.0) <= BOUND + 2 * stall, "an old value was served for {} µs", at(1.0));
}
