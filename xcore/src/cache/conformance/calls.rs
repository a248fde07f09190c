//! The calls beyond reading and writing one key: several keys, conditions, tags, loads, locks, windows.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use futures_util::future::join_all;

use super::{eventually, sorted, tenant};
use crate::cache::{Cache, CacheError, LoadError, LoadOptions, MAX_KEY, SetOptions, TimeToLive};
use crate::tenancy::TenantId;

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn check(new: impl Fn() -> Cache) {
    several_keys_at_once(&new()).await;
    conditions_decide_in_one_step(&new()).await;
    tags_remove_what_has_them(&new()).await;
    a_scan_gives_each_key_once(&new()).await;
    a_thousand_ask_and_one_loads(&new()).await;
    a_failed_load_is_not_cached_unless_asked(&new()).await;
    a_loader_that_panics_or_is_dropped_leaves_nobody_waiting(&new()).await;
    a_stale_value_is_given_while_a_new_one_is_loaded(&new()).await;
    locks_exclude_and_end(&new()).await;
    locks_are_no_keys_and_end_with_their_tenant(&new()).await;
    windows_keep_to_their_limit(&new()).await;
}

async fn several_keys_at_once(cache: &Cache) {
    let acme = tenant(cache, "acme");
    acme.set_many(&[("a", 1), ("b", 2), ("{x}c", 3)], MINUTE).await.unwrap();
    acme.set("text", "no number").await.unwrap();
    let found: Vec<Option<i32>> = acme.get_many(&["b", "absent", "text", "a", "b", "{x}c"]).await.unwrap();
    assert_eq!(found, [Some(2), None, None, Some(1), Some(2), Some(3)]);
    assert!(matches!(acme.ttl("a").await.unwrap(), TimeToLive::Remaining(_)));
    assert_eq!(acme.get_many::<i32>(&[]).await.unwrap(), Vec::new());
    acme.set_many::<i32>(&[], None).await.unwrap();
    acme.set_many(&[("a", 5)], Duration::ZERO).await.unwrap();
    assert!(!acme.exists("a").await.unwrap());
    let too_long = "k".repeat(MAX_KEY + 1);
    assert!(matches!(
        acme.set_many(&[("b", 9), (&too_long, 9)], None).await,
        Err(CacheError::KeyTooLong { .. })
    ));
    assert_eq!(acme.get::<i32>("b").await.unwrap(), Some(2), "nothing is stored when one is refused");
    let names: Vec<String> = (0..500).map(|number| format!("n{number}")).collect();
    let entries: Vec<(&str, usize)> = names.iter().map(String::as_str).zip(0..).collect();
    acme.set_many(&entries, None).await.unwrap();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = acme.get_many::<usize>(&all).await.unwrap();
    assert_eq!(found, (0..500).map(Some).collect::<Vec<_>>());
}

async fn conditions_decide_in_one_step(cache: &Cache) {
    let acme = tenant(cache, "acme");
    assert!(acme.set_if_absent("key", &1, MINUTE).await.unwrap());
    assert!(!acme.set_if_absent("key", &2, None).await.unwrap());
    assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(1));
    assert!(matches!(acme.ttl("key").await.unwrap(), TimeToLive::Remaining(_)));
    assert!(!acme.compare_and_swap("key", Some(&2), &3, None).await.unwrap());
    assert!(!acme.compare_and_swap("key", None, &3, None).await.unwrap());
    assert!(acme.compare_and_swap("key", Some(&1), &3, None).await.unwrap());
    assert_eq!(acme.ttl("key").await.unwrap(), TimeToLive::Unlimited);
    assert!(acme.compare_and_swap("key", Some(&3), &4, Duration::ZERO).await.unwrap());
    assert!(!acme.exists("key").await.unwrap());
    assert!(acme.compare_and_swap("key", None, &5, None).await.unwrap());
    assert!(!acme.compare_and_swap("absent", Some(&5), &5, None).await.unwrap());

    acme.set("n", &0).await.unwrap();
    let won = Arc::new(AtomicUsize::new(0));
    let tasks = (0..8).map(|_| {
        let (acme, won) = (tenant(cache, "acme"), Arc::clone(&won));
        tokio::spawn(async move {
            for _ in 0..50 {
                let seen: usize = acme.get("n").await.unwrap().unwrap();
                let swapped = acme.compare_and_swap("n", Some(&seen), &(seen + 1), None).await.unwrap();
                won.fetch_add(usize::from(swapped), Ordering::Relaxed);
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(acme.get::<usize>("n").await.unwrap(), Some(won.load(Ordering::Relaxed)));
}

async fn tags_remove_what_has_them(cache: &Cache) {
    let (acme, globex) = (tenant(cache, "acme"), tenant(cache, "globex"));
    let with = |tags: &[&'static str]| tags.iter().fold(SetOptions::new(), |options, tag| options.tag(tag));
    for of in [&acme, &globex] {
        of.set_with("a", &1, with(&["red"])).await.unwrap();
        of.set_with("b", &1, with(&["red", "big"]).ttl(MINUTE)).await.unwrap();
        of.set_with("c", &1, with(&["big"])).await.unwrap();
        of.set("red", &1).await.unwrap();
    }
    assert_eq!(sorted(&acme, "*").await, ["a", "b", "c", "red"], "tags are no keys");
    assert_eq!(acme.invalidate_tag("red").await.unwrap(), 2);
    assert_eq!(sorted(&acme, "*").await, ["c", "red"]);
    assert_eq!(acme.invalidate_tag("red").await.unwrap(), 0);
    assert_eq!(sorted(&globex, "*").await, ["a", "b", "c", "red"], "tags are the tenant's own");
    acme.clear("*").await.unwrap();
    acme.set_with("d", &1, with(&["red"])).await.unwrap();
    assert_eq!(acme.invalidate_tag("red").await.unwrap(), 1, "also after everything was cleared");
    assert_eq!(globex.invalidate_tag("*").await.unwrap(), 0, "a tag is no pattern");
    assert_eq!(globex.invalidate_tag("big").await.unwrap(), 2);
    for number in 0..1_500 {
        globex.set_with(&format!("m{number}"), &number, with(&["many"])).await.unwrap();
    }
    assert_eq!(globex.invalidate_tag("many").await.unwrap(), 1_500);
    let error = acme.set_with("a", &1, with(&[""])).await.unwrap_err();
    assert!(matches!(error, CacheError::EmptyKey), "{error}");
    cache.forget_tenant(&TenantId::parse("globex").unwrap()).await.unwrap();
    globex.set("a", &1).await.unwrap();
    assert_eq!(globex.invalidate_tag("red").await.unwrap(), 0, "tags end with their tenant");
}

async fn a_scan_gives_each_key_once(cache: &Cache) {
    let acme = tenant(cache, "acme");
    for number in 0..2_500 {
        acme.set(&format!("k{number}"), &number).await.unwrap();
    }
    let given: Vec<String> = acme.scan("k*").unwrap().try_collect().await.unwrap();
    assert_eq!(given.len(), 2_500);
    assert_eq!(given.into_iter().collect::<BTreeSet<_>>().len(), 2_500);
    assert!(acme.scan(&"*".repeat(MAX_KEY + 1)).is_err());
}

async fn a_thousand_ask_and_one_loads(cache: &Cache) {
    let loads = Arc::new(AtomicUsize::new(0));
    let tasks = (0..1_000).map(|number| {
        let (acme, loads) = (tenant(cache, "acme"), Arc::clone(&loads));
        tokio::spawn(async move {
            let load = move || async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok::<_, io::Error>(loads.fetch_add(1, Ordering::Relaxed))
            };
            if number % 2 == 0 {
                acme.get_or_load("key", MINUTE, load).await.unwrap()
            } else {
                let options = LoadOptions::new(MINUTE).stale_for(MINUTE).lease(MINUTE);
                acme.get_or_load_with("key", options, load).await.unwrap()
            }
        })
    });
    for value in join_all(tasks).await {
        assert_eq!(value.unwrap(), 0);
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1);
    // Another tenant's key of the same name is loaded for itself.
    let globex = tenant(cache, "globex");
    assert_eq!(globex.get_or_load("key", MINUTE, || async { Ok::<_, io::Error>(7) }).await.unwrap(), 7);
    assert_eq!(cache.flights(), 0, "nothing is left of a load");
}

async fn a_failed_load_is_not_cached_unless_asked(cache: &Cache) {
    let acme = tenant(cache, "acme");
    let loads = Arc::new(AtomicUsize::new(0));
    let fail = || {
        let loads = Arc::clone(&loads);
        move || async move {
            loads.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err::<u8, _>(io::Error::other("the database is away"))
        }
    };
    let together = (0..10).map(|_| acme.get_or_load("key", MINUTE, fail()));
    for result in join_all(together).await {
        let error = result.unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.downcast_ref::<io::Error>().is_some(), "the error itself, to be told by its type");
        assert!(matches!(error, LoadError::Load(_)));
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1, "those who waited fail with it");
    acme.get_or_load("key", MINUTE, fail()).await.unwrap_err();
    assert_eq!(loads.load(Ordering::Relaxed), 2, "whoever comes later loads again");
    assert!(!acme.exists("key").await.unwrap());

    let asked = LoadOptions::new(MINUTE).cache_failures(Duration::from_millis(300));
    acme.get_or_load_with("asked", asked, fail()).await.unwrap_err();
    acme.get_or_load_with("asked", asked, fail()).await.unwrap_err();
    assert_eq!(loads.load(Ordering::Relaxed), 3);
    eventually("the failure is forgotten", || async {
        acme.get_or_load_with("asked", asked, || async { Ok::<_, io::Error>(5_u8) }).await.is_ok()
    })
    .await;
}

async fn a_loader_that_panics_or_is_dropped_leaves_nobody_waiting(cache: &Cache) {
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let dies = |panics: bool| {
        let (acme, begun) = (tenant(cache, "acme"), begun.clone());
        tokio::spawn(async move {
            let load = || async {
                begun.send(()).unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(!panics, "a loader that panics");
                std::future::pending::<()>().await;
                Ok::<u8, io::Error>(0)
            };
            acme.get_or_load("key", MINUTE, load).await
        })
    };
    for panics in [true, false] {
        let dying = dies(panics);
        has_begun.recv().await.unwrap();
        let waiting = {
            let acme = tenant(cache, "acme");
            tokio::spawn(
                async move { acme.get_or_load("key", MINUTE, || async { Ok::<u8, io::Error>(3) }).await },
            )
        };
        tokio::time::sleep(Duration::from_millis(30)).await;
        dying.abort();
        let value = tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap().unwrap();
        assert_eq!(value, 3);
        tenant(cache, "acme").delete("key").await.unwrap();
    }
    assert_eq!(cache.flights(), 0);
}

async fn a_stale_value_is_given_while_a_new_one_is_loaded(cache: &Cache) {
    let acme = tenant(cache, "acme");
    let loads = Arc::new(AtomicUsize::new(0));
    let options = LoadOptions::new(Duration::from_millis(100)).stale_for(MINUTE);
    let ask = || {
        let (acme, loads) = (acme.clone(), Arc::clone(&loads));
        async move {
            let load = move || async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Ok::<_, io::Error>(loads.fetch_add(1, Ordering::Relaxed))
            };
            acme.get_or_load_with("key", options, load).await.unwrap()
        }
    };
    assert_eq!(ask().await, 0);
    assert_eq!(ask().await, 0);
    tokio::time::sleep(Duration::from_millis(120)).await;
    let begin = Instant::now();
    let values = join_all((0..50).map(|_| ask())).await;
    assert!(values.iter().all(|value| *value == 0), "{values:?} after {:?}", begin.elapsed());
    eventually("the new value is there", || async { ask().await >= 1 }).await;
}

async fn locks_exclude_and_end(cache: &Cache) {
    let (acme, globex) = (tenant(cache, "acme"), tenant(cache, "globex"));
    let first = acme.lock("job", MINUTE).await.unwrap().unwrap();
    assert!(acme.lock("job", MINUTE).await.unwrap().is_none());
    assert!(acme.lock("other", MINUTE).await.unwrap().is_some());
    assert!(globex.lock("job", MINUTE).await.unwrap().is_some(), "a lock is the tenant's own");
    let begin = Instant::now();
    assert!(acme.lock_within("job", MINUTE, Duration::from_millis(60)).await.unwrap().is_none());
    assert!(begin.elapsed() < Duration::from_secs(10));
    let fence = first.fence();
    assert!(first.extend(MINUTE).await.unwrap());
    assert!(first.release().await.unwrap());
    let second = acme.lock("job", MINUTE).await.unwrap().unwrap();
    assert!(second.fence() > fence, "{} after {fence}", second.fence());
    let fence = second.fence();
    drop(second);
    let third = acme.lock_within("job", Duration::from_millis(50), Duration::from_secs(20)).await.unwrap();
    let third = third.expect("a lock that is dropped is given back");
    assert!(third.fence() > fence);
    let fourth = acme.lock_within("job", MINUTE, Duration::from_secs(20)).await.unwrap();
    let fourth = fourth.expect("a lock ends by its time");
    assert!(fourth.fence() > third.fence());
    assert!(!third.extend(MINUTE).await.unwrap());
    assert!(!third.release().await.unwrap(), "who overslept gives nothing back");
    assert!(acme.lock("job", MINUTE).await.unwrap().is_none());
    assert!(fourth.release().await.unwrap());

    let inside = Arc::new(AtomicUsize::new(0));
    let tasks = (0..8).map(|_| {
        let (acme, inside) = (tenant(cache, "acme"), Arc::clone(&inside));
        tokio::spawn(async move {
            let lock = acme.lock_within("job", MINUTE, Duration::from_secs(30)).await.unwrap().unwrap();
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold one lock");
            tokio::time::sleep(Duration::from_millis(2)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            lock.release().await.unwrap();
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
}

async fn locks_are_no_keys_and_end_with_their_tenant(cache: &Cache) {
    let acme = tenant(cache, "acme");
    let lock = acme.lock("job", MINUTE).await.unwrap().unwrap();
    assert_eq!(sorted(&acme, "*").await, Vec::<String>::new());
    assert_eq!(acme.clear("*").await.unwrap(), 0);
    assert!(acme.lock("job", MINUTE).await.unwrap().is_none());
    cache.forget_tenant(&TenantId::parse("acme").unwrap()).await.unwrap();
    assert!(acme.lock("job", MINUTE).await.unwrap().is_some());
    assert!(matches!(acme.lock("", MINUTE).await, Err(CacheError::EmptyKey)));
    drop(lock);
}

async fn windows_keep_to_their_limit(cache: &Cache) {
    let acme = tenant(cache, "acme");
    let tasks = (0..20).map(|_| {
        let acme = tenant(cache, "acme");
        tokio::spawn(async move { acme.count_in_window("calls", MINUTE, 10, 1).await.unwrap() })
    });
    let counts: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    // A window may begin between two of them; then the share of the one before is still nearly whole.
    let allowed = counts.iter().filter(|count| count.allowed).count();
    assert!((10..=11).contains(&allowed), "{allowed} of 20");
    let refused = acme.count_in_window("calls", MINUTE, 10, 5).await.unwrap();
    assert!(!refused.allowed && refused.retry_after > Duration::ZERO && refused.retry_after <= 2 * MINUTE);
    assert!(tenant(cache, "globex").count_in_window("calls", MINUTE, 10, 10).await.unwrap().allowed);
    assert!(!acme.count_in_window("calls", MINUTE, 10, 11).await.unwrap().allowed);
    acme.set("text", "no window").await.unwrap();
    let error = acme.count_in_window("text", MINUTE, 10, 1).await.unwrap_err();
    assert!(matches!(error, CacheError::NotAWindow { .. }), "{error}");
    let short = Duration::from_millis(100);
    assert!(acme.count_in_window("short", short, 1, 1).await.unwrap().allowed);
    eventually("there is room again", || async {
        acme.count_in_window("short", short, 1, 1).await.unwrap().allowed
    })
    .await;
}
