//! What is particular to the memory in front of a server.

use std::time::Instant;

use tokio::sync::oneshot;

use super::*;
use crate::cache::redis::tests::Server;
use crate::cache::{Cache, CacheSettings, TenantCache, conformance};
use crate::tenancy::{CacheRoom, Tenant, TenantId};

mod replicas;

fn tenant(cache: &Cache, id: &str) -> TenantCache {
    cache.tenant(&Tenant::admit(TenantId::parse(id).unwrap(), 0))
}

/// A cache, and what stands behind it.
fn tiered(settings: RedisSettings) -> (Cache, Arc<Tiered>) {
    let backend = Arc::new(Tiered::new(settings, 64 << 20, true));
    (Cache::on(Arc::<Tiered>::clone(&backend), CacheSettings::default()), backend)
}

async fn until(claim: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {claim}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn open(backend: &Tiered) {
    until("the near tier is open", || backend.near.is_open()).await;
}

const KEY: Key<'static> = Key { space: "acme", name: "key" };

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_tiered_backend_conforms() {
    conformance::check(|settings| Cache::tiered(Server::one().settings(), settings)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_tiered_backend_conforms_on_a_cluster() {
    conformance::check(|settings| Cache::tiered(Server::cluster().settings(), settings)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_is_near_until_anybody_changes_it() {
    for server in [Server::one(), Server::cluster()] {
        let settings = server.settings();
        let ((cache, backend), (other, _other)) = (tiered(settings.clone()), tiered(settings.clone()));
        open(&backend).await;
        let (acme, other) = (tenant(&cache, "acme"), tenant(&other, "acme"));
        acme.set("key", &1).await.unwrap();
        // The message about one's own write may still be on its way, and takes what was read meanwhile.
        until("a value that was read is near", || {
            futures_util::FutureExt::now_or_never(acme.get::<i32>("key"));
            backend.near.get(KEY).is_some()
        })
        .await;
        assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(1));
        other.set("key", &2).await.unwrap();
        until("another replica's write is heard", || backend.near.get(KEY).is_none()).await;
        assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(2));
        // Also a change by another program, in whichever server of a cluster the key is.
        let name = format!("{}:acme:key", settings.prefix.unwrap());
        for number in 0..server.ports().len() {
            server.cli(number, &["set", &name, "3"]);
        }
        until("a change by hand is heard", || backend.near.get(KEY).is_none()).await;
        assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(3));
        for change in 0..4 {
            acme.get::<i32>("key").await.unwrap();
            match change {
                0 => drop(other.incr("key", 1).await.unwrap()),
                1 => drop(other.expire("key", Duration::from_secs(60)).await.unwrap()),
                2 => drop(other.clear("k*").await.unwrap()),
                _ => other.set("key", &9).await.unwrap(),
            }
            until("a change is heard", || backend.near.get(KEY).is_none()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_tenant_is_forgotten_by_every_replica() {
    let settings = Server::one().settings();
    let ((cache, backend), (other, _other)) = (tiered(settings.clone()), tiered(settings));
    open(&backend).await;
    let (acme, globex) = (tenant(&cache, "acme"), tenant(&cache, "globex"));
    for of in [&acme, &globex] {
        of.set("key", &1).await.unwrap();
    }
    let near = |space| backend.near.get(Key { space, name: "key" }).is_some();
    until("both are near", || {
        for of in [&acme, &globex] {
            futures_util::FutureExt::now_or_never(of.get::<i32>("key"));
        }
        near("acme") && near("globex")
    })
    .await;
    assert_eq!(other.forget_tenant(&TenantId::parse("acme").unwrap()).await.unwrap(), 1);
    until("the other replica has heard of it", || !near("acme")).await;
    assert!(near("globex"));
    assert_eq!(acme.get::<i32>("key").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_bounds_what_of_a_tenant_is_near_and_nothing_on_the_server() {
    let (cache, backend) = tiered(Server::one().settings());
    open(&backend).await;
    cache.limit(&TenantId::parse("acme").unwrap(), Some(16 << 10));
    let names: Vec<String> = (0..100).map(|number| format!("k{number}")).collect();
    for space in ["acme", "globex"] {
        let of = tenant(&cache, space);
        for name in &names {
            of.set(name, &1).await.unwrap();
        }
        let near = || names.iter().filter(|name| backend.near.get(Key { space, name }).is_some()).count();
        let is_right = |near: usize| if space == "acme" { (1..=32).contains(&near) } else { near == 100 };
        // The messages about one's own writes may still be on their way, and take what was read meanwhile.
        until("as much is near as may be", || {
            for name in &names {
                futures_util::FutureExt::now_or_never(of.get::<i32>(name));
            }
            is_right(near())
        })
        .await;
        assert_eq!(of.keys("*").await.unwrap().len(), 100, "{space}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_messages_of_the_server_nothing_is_served_from_memory() {
    let server = Server::start(1);
    let (cache, backend) = tiered(server.settings());
    open(&backend).await;
    let acme = tenant(&cache, "acme");
    acme.set("key", &1).await.unwrap();
    until("the value is near", || {
        futures_util::FutureExt::now_or_never(acme.get::<i32>("key"));
        backend.near.get(KEY).is_some()
    })
    .await;
    // The connection that hears is cut, and what changes right after is not told.
    let list = server.cli(0, &["client", "list"]);
    let hearing = list.lines().find(|line| line.contains("flags=tB")).unwrap_or_else(|| panic!("{list}"));
    let id = hearing.split(' ').next().unwrap().strip_prefix("id=").unwrap();
    let prefix = cache_prefix(&backend);
    server.cli(
        0,
        &[
            "eval",
            "redis.call('client', 'kill', 'id', ARGV[1]) return redis.call('set', KEYS[1], 2)",
            "1",
            &format!("{prefix}:acme:key"),
            id,
        ],
    );
    server.cli(0, &["client", "kill", "id", id]);
    server.cli(0, &["set", &format!("{prefix}:acme:key"), "2"]);
    until("the near tier is closed or opened anew", || backend.near.get(KEY).is_none()).await;
    assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(2));
    open(&backend).await;
    assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(2));
    // A server that is away serves nothing, from memory neither.
    server.tell("stop");
    until("the near tier is closed", || !backend.near.is_open()).await;
    assert!(acme.get::<i32>("key").await.unwrap_err().is_unavailable());
    server.tell("start");
    open(&backend).await;
    until("the link is back", || backend.far.is_up()).await;
    assert_eq!(acme.get::<i32>("key").await.unwrap(), None, "it came back empty");
}

fn cache_prefix(backend: &Tiered) -> String {
    backend.far.settings().prefix.clone().unwrap()
}

/// A fetch whose answer comes when it is told to.
async fn fetch(near: &Near, answer: oneshot::Receiver<&'static str>) -> Option<Bytes> {
    let hold = near.hold(KEY).unwrap();
    let far = || {
        Operation::waiting(async move {
            let value = answer.await.unwrap();
            Ok(Some((Bytes::from_static(value.as_bytes()), None)))
        })
    };
    near.fetch(KEY, &hold, Duration::from_secs(20), far).await.unwrap().map(|(value, _)| value)
}

#[tokio::test]
async fn a_value_that_changed_while_it_was_fetched_is_not_kept() {
    let near = Near::new(1 << 20);
    near.open(1);
    let (tell, answer) = oneshot::channel();
    let change = async {
        near.forget(KEY);
        tell.send("old").unwrap();
    };
    let (value, ()) = tokio::join!(fetch(&near, answer), change);
    assert_eq!(value.unwrap(), "old", "whoever asked before the change may see what was before it");
    assert!(near.get(KEY).is_none(), "nobody who asks later may");
    assert_eq!(near.holds(), 0);
}

#[tokio::test]
async fn of_two_fetches_the_older_value_does_not_stay() {
    let near = Near::new(1 << 20);
    near.open(1);
    let ((tell_first, first), (tell_second, second)) = (oneshot::channel(), oneshot::channel());
    // Without a message in between the second one waits for the first, so it cannot show a newer value.
    let tell = async {
        tell_second.send("new").unwrap();
        tell_first.send("old").unwrap();
    };
    let (one, two, ()) = tokio::join!(fetch(&near, first), fetch(&near, second), tell);
    assert_eq!((one.unwrap(), two.unwrap()), (Bytes::from("old"), Bytes::from("old")));
    assert_eq!(near.get(KEY).unwrap().0, "old");

    near.forget(KEY);
    let ((tell_first, first), (tell_second, second)) = (oneshot::channel(), oneshot::channel());
    // With one, the second fetches for itself, and the first may not replace what it keeps.
    let later = async {
        near.forget(KEY);
        tell_second.send("new").unwrap();
        let two = fetch(&near, second).await;
        tell_first.send("old").unwrap();
        two
    };
    let (one, two) = tokio::join!(fetch(&near, first), later);
    assert_eq!((one.unwrap(), two.unwrap()), (Bytes::from("old"), Bytes::from("new")));
    assert_eq!(near.get(KEY).unwrap().0, "new");
    assert_eq!(near.holds(), 0);
}

#[tokio::test]
async fn what_was_fetched_in_an_earlier_session_is_not_kept() {
    let near = Near::new(1 << 20);
    near.open(1);
    let (tell, answer) = oneshot::channel();
    let session = async {
        near.close(1);
        assert!(near.hold(KEY).is_none());
        near.open(2);
        tell.send("old").unwrap();
    };
    let (_, ()) = tokio::join!(fetch(&near, answer), session);
    assert!(near.get(KEY).is_none());
    near.close(1);
    assert!(near.is_open(), "the end of an earlier session closes nothing");
}

#[tokio::test]
async fn a_fetch_that_is_dropped_leaves_its_turn() {
    let near = Near::new(1 << 20);
    near.open(1);
    let (tell, second) = oneshot::channel();
    let (_never, first) = oneshot::channel();
    {
        let mut dropped = Box::pin(fetch(&near, first));
        assert!(futures_util::poll!(&mut dropped).is_pending());
        let mut waiting = Box::pin(fetch(&near, second));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(dropped);
        tell.send("value").unwrap();
        assert_eq!(waiting.await.unwrap(), "value");
    }
    let (_never, alone) = oneshot::channel();
    near.forget(KEY);
    drop({
        let mut dropped = Box::pin(fetch(&near, alone));
        assert!(futures_util::poll!(&mut dropped).is_pending());
        dropped
    });
    assert_eq!(near.holds(), 0, "nothing is left of it");
}
