//! What is particular to the backend on a server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::cache::handle::TenantCache;
use crate::cache::{Cache, CacheSettings, conformance};
use crate::tenancy::{Tenant, TenantId};

mod server;

pub(crate) use server::Server;

fn cache_on(settings: RedisSettings, pass_through: bool) -> Cache {
    Cache::on(Arc::new(Redis::new(settings)), CacheSettings { pass_through, ..CacheSettings::default() })
}

fn tenant(cache: &Cache, id: &str) -> TenantCache {
    cache.tenant(&Tenant::admit(TenantId::parse(id).unwrap(), 0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_conforms() {
    let make = |settings| Cache::on(Arc::new(Redis::new(Server::one().settings())), settings);
    conformance::check(make).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_conforms() {
    let make = |settings| Cache::on(Arc::new(Redis::new(Server::cluster().settings())), settings);
    conformance::check(make).await;
}

#[tokio::test]
async fn an_operator_finds_the_keys() {
    let server = Server::one();
    // Names of no other test, because nothing stands before them.
    let cache = cache_on(server.settings_with(None), false);
    let acme = tenant(&cache, "operators");
    acme.set("last_order", &42).await.unwrap();
    assert_eq!(server.cli(0, &["get", "operators:last_order"]), "42");
    cache.shared().set("rate", "1.5").await.unwrap();
    assert_eq!(server.cli(0, &["get", "xcore-shared:rate"]), "\"1.5\"");
    server.cli(0, &["set", "operators:by_hand", "[1,2]"]);
    assert_eq!(acme.get::<Vec<u8>>("by_hand").await.unwrap(), Some(vec![1, 2]));
    server.cli(0, &["rpush", "operators:list", "1"]);
    let error = acme.get::<u8>("list").await.unwrap_err();
    assert!(matches!(error, CacheError::Refused { .. }) && !error.is_unavailable(), "{error:?}");
    assert_eq!(cache.forget_tenant(&TenantId::parse("operators").unwrap()).await.unwrap(), 3);
    assert_eq!(server.cli(0, &["exists", "operators:list"]), "0");
}

#[tokio::test]
async fn neither_keys_nor_clear_uses_keys() {
    let server = Server::start(1);
    let cache = cache_on(server.settings(), false);
    let acme = tenant(&cache, "acme");
    acme.set("a", &1).await.unwrap();
    acme.keys("*").await.unwrap();
    acme.clear("*").await.unwrap();
    let stats = server.cli(0, &["info", "commandstats"]);
    assert!(stats.contains("cmdstat_scan") && stats.contains("cmdstat_unlink"), "{stats}");
    assert!(!stats.contains("cmdstat_keys") && !stats.contains("cmdstat_flush"), "{stats}");
    assert!(!stats.contains("cmdstat_del:"), "{stats}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_is_an_error_or_a_miss_and_comes_back() {
    let server = Server::start(1);
    let timeout = Duration::from_secs(2);
    let settings =
        |prefix: &str| RedisSettings::new(&server.url(), false, Some(prefix.to_owned()), timeout).unwrap();
    let (strict, lenient) = (cache_on(settings("strict"), false), cache_on(settings("lenient"), true));
    let (strict, lenient) = (tenant(&strict, "acme"), tenant(&lenient, "acme"));
    for acme in [&strict, &lenient] {
        acme.set("key", &1).await.unwrap();
        assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(1));
    }
    server.tell("stop");
    for _ in 0..3 {
        let begin = Instant::now();
        let error = strict.get::<i32>("key").await.unwrap_err();
        assert!(error.is_unavailable(), "{error:?}");
        assert!(strict.keys("*").await.unwrap_err().is_unavailable());
        assert!(begin.elapsed() < timeout, "{:?}", begin.elapsed());
    }
    // Down it fails at once: a thousand calls take less than one attempt to connect.
    let begin = Instant::now();
    for _ in 0..1_000 {
        strict.get::<i32>("key").await.unwrap_err();
    }
    assert!(begin.elapsed() < timeout, "{:?}", begin.elapsed());
    assert_eq!(lenient.get::<i32>("key").await.unwrap(), None);
    lenient.set("key", &2).await.unwrap();
    assert_eq!(lenient.incr("n", 3).await.unwrap(), 3);
    assert_eq!(lenient.keys("*").await.unwrap(), Vec::<String>::new());
    assert_eq!(lenient.get_many::<i32>(&["a", "b"]).await.unwrap(), [None, None]);
    assert!(lenient.count_in_window("w", timeout, 1, 1).await.unwrap().allowed);
    assert!(lenient.lock("l", timeout).await.unwrap_err().is_unavailable(), "a lock is not passed through");
    let options = crate::cache::LoadOptions::new(timeout).lease(timeout);
    let loaded = lenient.get_or_load_with("load", options, || async { Ok::<_, std::io::Error>(5) }).await;
    assert_eq!(loaded.unwrap(), 5);
    server.tell("start");
    let deadline = Instant::now() + Duration::from_secs(20);
    while strict.get::<i32>("key").await.is_err() {
        assert!(Instant::now() < deadline, "the link does not come back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    strict.set("key", &3).await.unwrap();
    assert_eq!(strict.get::<i32>("key").await.unwrap(), Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_costs_a_call_its_timeout() {
    let server = Server::start(1);
    let timeout = Duration::from_millis(300);
    let settings = RedisSettings::new(&server.url(), false, None, timeout).unwrap();
    let backend = Arc::new(Redis::new(settings));
    let cache = Cache::on(Arc::<Redis>::clone(&backend), CacheSettings::default());
    let acme = tenant(&cache, "acme");
    acme.set("key", &1).await.unwrap();
    server.tell("freeze");
    let begin = Instant::now();
    let calls = (0..50).map(|_| acme.get::<i32>("key"));
    for answer in futures_util::future::join_all(calls).await {
        assert!(answer.unwrap_err().is_unavailable());
    }
    let took = begin.elapsed();
    assert!(took >= timeout && took < timeout * 10, "{took:?}");
    // Nobody was answered, so the connection counts as lost, and then the link as down.
    let deadline = Instant::now() + Duration::from_secs(20);
    while backend.is_up() {
        assert!(Instant::now() < deadline);
        let _ = acme.get::<i32>("key").await;
    }
    server.tell("thaw");
    while acme.get::<i32>("key").await.ok() != Some(Some(1)) {
        assert!(Instant::now() < deadline, "the link does not come back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_costs_no_read_an_error() {
    let server = Server::start(1);
    let cache = cache_on(server.settings(), false);
    let acme = tenant(&cache, "acme");
    acme.set("key", &1).await.unwrap();
    for _ in 0..20 {
        server.cli(0, &["client", "kill", "type", "normal"]);
        assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_user_needs_no_more_than_its_keys() {
    let server = Server::start(1);
    let rules = ["acl", "setuser", "shop", "on", ">secret", "~shop:*", "+@all", "-@dangerous", "-@admin"];
    assert_eq!(server.cli(0, &rules), "OK");
    let url = server.url().replace("redis://", "redis://shop:secret@");
    let settings = |prefix: &str| {
        RedisSettings::new(&url, false, Some(prefix.to_owned()), Duration::from_secs(10)).unwrap()
    };
    let shown = format!("{:?}", settings("shop"));
    assert!(!shown.contains("secret"), "{shown}");
    let acme = cache_on(settings("shop"), false);
    let acme = tenant(&acme, "acme");
    acme.set("key", &1).await.unwrap();
    assert_eq!(acme.keys("*").await.unwrap(), ["key"]);
    assert_eq!(acme.clear("*").await.unwrap(), 1);
    let other = cache_on(settings("other"), false);
    let error = tenant(&other, "acme").set("key", &1).await.unwrap_err();
    assert!(matches!(error, CacheError::Refused { .. }), "{error:?}");
}

/// Moves slots back and forth between the first two servers until told to stop.
fn reshard(server: &'static Server, stop: &AtomicBool) -> usize {
    let ids: Vec<String> = (0..2).map(|number| server.cli(number, &["cluster", "myid"])).collect();
    let mut moved = 0;
    while !stop.load(Ordering::Relaxed) {
        for (from, to) in [(0, 1), (1, 0)] {
            let seed = format!("127.0.0.1:{}", server.ports()[0]);
            let output = std::process::Command::new("redis-cli")
                .args(["--cluster", "reshard", &seed, "--cluster-from", &ids[from], "--cluster-to", &ids[to]])
                .args(["--cluster-slots", "40", "--cluster-yes", "--cluster-pipeline", "2"])
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            moved += 1;
        }
    }
    moved
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_scan_misses_nothing_while_slots_move() {
    let server: &'static Server = Box::leak(Box::new(Server::start(3)));
    let cache = cache_on(server.settings(), false);
    let acme = tenant(&cache, "acme");
    let names: Vec<String> = (0..3_000).map(|number| format!("k{number}")).collect();
    let entries: Vec<(&str, usize)> = names.iter().map(String::as_str).zip(0..).collect();
    acme.set_many(&entries, None).await.unwrap();
    let wanted: BTreeSet<String> = names.iter().cloned().collect();
    let stop = Arc::new(AtomicBool::new(false));
    let resharding = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || reshard(server, &stop)
    });
    let until = Instant::now() + Duration::from_secs(6);
    let mut scans = 0;
    while Instant::now() < until {
        let found: BTreeSet<String> = acme.keys("*").await.unwrap().into_iter().collect();
        assert_eq!(
            found.len(),
            wanted.len(),
            "missed {:?}",
            wanted.difference(&found).take(3).collect::<Vec<_>>()
        );
        let values = acme.get_many::<usize>(&["k1", "k2", "k3", "k4"]).await.unwrap();
        assert_eq!(values, [Some(1), Some(2), Some(3), Some(4)]);
        scans += 1;
    }
    stop.store(true, Ordering::Relaxed);
    let moved = resharding.join().unwrap();
    assert!(scans > 0 && moved > 0, "{scans} scans while slots moved {moved} times");
    assert_eq!(acme.clear("*").await.unwrap(), 3_000);
    assert_eq!(acme.keys("*").await.unwrap(), Vec::<String>::new());
}
