//! The cache against what it stands on: Redis through a handle against the same crate used bare, memory in front of Redis against Redis,
//! memory against a bare moka, and what a tenant that writes ten times the capacity does to another.
//!
//! `cargo bench -p xcore-tests --all-features --bench cache`, about a minute; with `-- redis`, `tiered`, `telling`, `memory` or `fairness` that
//! part alone. Rounds of the two sides alternate; the ratio is the median of
//! the rounds.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench without its server has nothing to measure, and says what it measured"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use deadpool_redis::redis;
use futures_util::future::join_all;
use redis::aio::ConnectionManager;
use tokio::runtime::Builder;
use xcore::cache::TenantCache;
use xcore_tests::{RedisServer, Rig};

const ROUNDS: usize = 15;
const TASKS: usize = 32;
const KEYS: usize = 64;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let is_wanted = |part: &str| words.is_empty() || words.iter().any(|word| word == part);
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let value = "v".repeat(98);
        if ["redis", "tiered", "telling"].into_iter().any(is_wanted) {
            let server = RedisServer::start();
            let redis = handle(&server, "redis").await;
            let tiered = handle(&server, "tiered").await;
            for (_, cache) in [&redis, &tiered] {
                for number in 0..KEYS {
                    cache.set(&key(number), &value).await.unwrap();
                }
            }
            if is_wanted("redis") {
                through_the_handle(&server, &redis.1).await;
            }
            if is_wanted("tiered") {
                near_against_far(&redis.1, &tiered.1).await;
            }
            if is_wanted("telling") {
                cost_of_telling(&server, &redis.1).await;
            }
        }
        if is_wanted("memory") {
            memory_against_moka(&value).await;
        }
        if is_wanted("fairness") {
            fairness().await;
        }
    });
}

fn key(number: usize) -> String {
    format!("key{}", number % KEYS)
}

async fn handle(server: &RedisServer, backend: &str) -> (Rig, TenantCache) {
    let url = server.url();
    let rig = Rig::set(&[
        ("services.cache.backend", backend),
        ("services.cache.url", &url),
        ("services.cache.prefix", backend),
    ])
    .await;
    let cache = rig.notes("acme").await.cache;
    (rig, cache)
}

/// Nanoseconds per operation of `each` in so many tasks.
async fn time<F, Fut>(tasks: usize, each: usize, work: F) -> f64
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let begin = Instant::now();
    let spawned: Vec<_> = (0..tasks).map(|task| tokio::spawn(work(task))).collect();
    for ended in join_all(spawned).await {
        ended.unwrap();
    }
    begin.elapsed().as_nanos() as f64 / (tasks * each) as f64
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn say(what: &str, base: Vec<f64>, ours: Vec<f64>, wanted: &str) {
    let ratios = base.iter().zip(&ours).map(|(base, ours)| base / ours).collect();
    let (base, ours, ratio) = (median(base), median(ours), median(ratios));
    println!("{what}: {base:.0} ns and {ours:.0} ns, {ratio:.2} times as fast ({wanted})");
}

async fn through_the_handle(server: &RedisServer, cache: &TenantCache) {
    let client = redis::Client::open(server.url()).unwrap();
    let config = redis::aio::ConnectionManagerConfig::new()
        .set_response_timeout(Some(Duration::from_secs(1)))
        .set_pipeline_buffer_size(1024);
    let bare = ConnectionManager::new_with_config(client, config).await.unwrap();
    let pool = deadpool_redis::Config::from_url(server.url()).create_pool(None).unwrap();
    const EACH: usize = 1_000;
    let (mut base, mut ours, mut pooled) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        pooled.push(
            time(TASKS, EACH, |task| {
                let pool = pool.clone();
                async move {
                    for number in 0..EACH {
                        let key = format!("redis:acme:{}", key(task + number));
                        let mut connection = pool.get().await.unwrap();
                        let bytes: Vec<u8> =
                            redis::cmd("GET").arg(key).query_async(&mut connection).await.unwrap();
                        black_box(serde_json::from_slice::<String>(&bytes).unwrap());
                    }
                }
            })
            .await,
        );
        base.push(
            time(TASKS, EACH, |task| {
                let mut bare = bare.clone();
                async move {
                    for number in 0..EACH {
                        let key = format!("redis:acme:{}", key(task + number));
                        let bytes: Vec<u8> = redis::cmd("GET").arg(key).query_async(&mut bare).await.unwrap();
                        black_box(serde_json::from_slice::<String>(&bytes).unwrap());
                    }
                }
            })
            .await,
        );
        ours.push(
            time(TASKS, EACH, |task| {
                let cache = cache.clone();
                async move {
                    for number in 0..EACH {
                        black_box(cache.get::<String>(&key(task + number)).await.unwrap().unwrap());
                    }
                }
            })
            .await,
        );
    }
    say(
        "redis get, pool of connections and bare connection manager, 32 tasks",
        pooled,
        base.clone(),
        "the faster is used",
    );
    say("redis get, bare connection manager and handle, 32 tasks", base, ours, "at least 0.95");
}

async fn near_against_far(redis: &TenantCache, tiered: &TenantCache) {
    let round = |cache: &TenantCache, each: usize| {
        let cache = cache.clone();
        time(1, each, move |_| {
            let cache = cache.clone();
            async move {
                for number in 0..each {
                    black_box(cache.get::<String>(&key(number)).await.unwrap().unwrap());
                }
            }
        })
    };
    round(tiered, 10_000).await;
    let (mut base, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        base.push(round(redis, 2_000).await);
        ours.push(round(tiered, 200_000).await);
    }
    say("get from redis and from memory in front of it", base, ours, "at least 50");
}

/// What it costs the server to tell three replicas of each change: by tracking, and by messages of the writers.
async fn cost_of_telling(server: &RedisServer, cache: &TenantCache) {
    const EACH: usize = 500;
    let write = |publish: Option<ConnectionManager>| {
        let cache = cache.clone();
        time(TASKS, EACH, move |task| {
            let (cache, mut publish) = (cache.clone(), publish.clone());
            async move {
                for number in 0..EACH {
                    let key = key(task + number);
                    cache.set(&key, "value").await.unwrap();
                    if let Some(publish) = &mut publish {
                        redis::cmd("PUBLISH")
                            .arg("changes")
                            .arg(&key)
                            .query_async::<()>(publish)
                            .await
                            .unwrap();
                    }
                }
            }
        })
    };
    let client = redis::Client::open(format!("{}/?protocol=resp3", server.url())).unwrap();
    let publisher = ConnectionManager::new(client.clone()).await.unwrap();
    let (mut silent, mut tracked, mut published) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        silent.push(write(None).await);
        for tracks in [true, false] {
            let mut replicas = Vec::new();
            for _ in 0..3 {
                let config = redis::AsyncConnectionConfig::new()
                    .set_push_sender(|_: redis::PushInfo| Ok::<(), redis::aio::SendError>(()));
                let mut replica = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
                if tracks {
                    let mut tracking = redis::cmd("CLIENT");
                    tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg("redis:");
                    tracking.exec_async(&mut replica).await.unwrap();
                } else {
                    replica.subscribe("changes").await.unwrap();
                }
                replicas.push(replica);
            }
            if tracks {
                tracked.push(write(None).await);
            } else {
                published.push(write(Some(publisher.clone())).await);
            }
        }
    }
    say("set that nobody hears, and that three hear by tracking", silent.clone(), tracked, "no bound");
    say("set that nobody hears, and that three hear by publish", silent, published, "no bound");
}

async fn memory_against_moka(value: &str) {
    let rig = Rig::start().await;
    let cache = rig.notes("acme").await.cache;
    let moka = moka::sync::Cache::<String, bytes::Bytes>::builder()
        .max_capacity(64 << 20)
        .weigher(|key: &String, value: &bytes::Bytes| (key.len() + value.len()) as u32)
        .time_to_live(Duration::from_secs(3600))
        .build();
    for number in 0..KEYS {
        cache.set(&key(number), value).await.unwrap();
        moka.insert(format!("acme:{}", key(number)), serde_json::to_vec(value).unwrap().into());
    }
    const EACH: usize = 50_000;
    let names: std::sync::Arc<Vec<(String, String)>> =
        std::sync::Arc::new((0..KEYS).map(|number| (key(number), format!("acme:{}", key(number)))).collect());
    for tasks in [1, 2] {
        let (mut base, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            base.push(
                time(tasks, EACH, |_| {
                    let (moka, names) = (moka.clone(), names.clone());
                    async move {
                        for number in 0..EACH {
                            let bytes = moka.get(&names[number % KEYS].1).unwrap();
                            black_box(serde_json::from_slice::<String>(&bytes).unwrap());
                        }
                    }
                })
                .await,
            );
            ours.push(
                time(tasks, EACH, |_| {
                    let (cache, names) = (cache.clone(), names.clone());
                    async move {
                        for number in 0..EACH {
                            black_box(cache.get::<String>(&names[number % KEYS].0).await.unwrap().unwrap());
                        }
                    }
                })
                .await,
            );
        }
        say(&format!("get from a bare moka and from memory, {tasks} tasks"), base, ours, "at least 0.8");
    }
    let (mut base, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        base.push(
            time(1, EACH, |_| {
                let (moka, names, value) = (moka.clone(), names.clone(), value.to_owned());
                async move {
                    for number in 0..EACH {
                        let bytes = serde_json::to_vec(&value).unwrap();
                        moka.insert(names[number % KEYS].1.clone(), bytes.into());
                    }
                }
            })
            .await,
        );
        ours.push(
            time(1, EACH, |_| {
                let (cache, names, value) = (cache.clone(), names.clone(), value.to_owned());
                async move {
                    for number in 0..EACH {
                        cache.set(&names[number % KEYS].0, &value).await.unwrap();
                    }
                }
            })
            .await,
        );
    }
    say("set in a bare moka and in memory", base, ours, "no bound");
}

/// The share of reads that a tenant finds, alone and beside one that writes ten times the capacity.
async fn fairness() {
    let mut rates = Vec::new();
    for is_noisy in [false, true] {
        let rig = Rig::set(&[("services.cache.capacity", "4MiB")]).await;
        let (quiet, noisy) = (rig.notes("acme").await.cache, rig.notes("globex").await.cache);
        let value = "v".repeat(1000);
        let (mut hits, mut reads) = (0_u32, 0_u32);
        for round in 0..40 {
            for number in 0..1_000 {
                let name = format!("key{number}");
                if round > 0 {
                    reads += 1;
                }
                if quiet.get::<String>(&name).await.unwrap().is_none() {
                    quiet.set(&name, &value).await.unwrap();
                } else {
                    hits += 1;
                }
                if is_noisy {
                    // 40,000 values of a kilobyte.
                    noisy.set(&format!("{round} {number}"), &value).await.unwrap();
                }
            }
        }
        rates.push(100.0 * f64::from(hits) / f64::from(reads));
    }
    println!(
        "hits of a tenant alone {:.1} %, beside one that writes ten times the capacity {:.1} % (within 5 points)",
        rates[0], rates[1]
    );
}
