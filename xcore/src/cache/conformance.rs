//! What every backend must do, written against the handles. A backend's own tests call [`check`] with a
//! way to make empty caches.

use std::future::Future;
use std::time::{Duration, Instant};

use super::handle::TenantCache;
use super::{Cache, CacheError, CacheSettings, MAX_KEY, TimeToLive};
use crate::tenancy::{Tenant, TenantId};

mod calls;

/// Runs the whole suite. `make` gives a new cache without entries.
pub(super) async fn check(make: impl Fn(CacheSettings) -> Cache) {
    let new = || make(CacheSettings::default());
    values_come_back_typed(&new()).await;
    a_value_of_another_type_is_a_miss(&new()).await;
    setting_replaces_value_and_end(&new()).await;
    entries_expire(&new()).await;
    a_time_to_live_of_zero_is_over(&new()).await;
    expire_changes_the_end(&new()).await;
    an_endless_time_to_live_is_none(&new()).await;
    numbers_count(&new()).await;
    counting_loses_no_step(&new()).await;
    limits_are_errors(&make(CacheSettings { max_value: 100, ..CacheSettings::default() })).await;
    patterns_list_and_clear(&new()).await;
    many_keys_list_and_clear(&new()).await;
    tenants_do_not_meet(&new()).await;
    shared_keys_are_apart(&new()).await;
    a_deleted_tenant_leaves_nothing(&new()).await;
    calls::check(new).await;
    without_isolation_tenants_share(&make(CacheSettings { isolate: false, ..CacheSettings::default() }))
        .await;
}

fn tenant(cache: &Cache, id: &str) -> TenantCache {
    cache.tenant(&Tenant::admit(TenantId::parse(id).unwrap(), 0))
}

/// Waits until a claim holds. The deadline is far beyond what any backend needs.
async fn eventually<F: Future<Output = bool>>(claim: &str, holds: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {claim}");
        tokio::task::yield_now().await;
    }
}

async fn sorted(cache: &TenantCache, pattern: &str) -> Vec<String> {
    let mut keys = cache.keys(pattern).await.unwrap();
    keys.sort();
    keys
}

async fn values_come_back_typed(cache: &Cache) {
    let acme = tenant(cache, "acme");
    acme.set("text", "ünï\0").await.unwrap();
    acme.set("list", &vec![1_u8, 2]).await.unwrap();
    acme.set("nothing", &None::<u8>).await.unwrap();
    assert_eq!(acme.get::<String>("text").await.unwrap().as_deref(), Some("ünï\0"));
    assert_eq!(acme.get::<Vec<u8>>("list").await.unwrap(), Some(vec![1, 2]));
    assert_eq!(acme.get::<Option<u8>>("nothing").await.unwrap(), Some(None));
    assert_eq!(acme.get::<String>("absent").await.unwrap(), None);
    assert!(acme.exists("text").await.unwrap() && !acme.exists("absent").await.unwrap());
    assert!(acme.delete("text").await.unwrap());
    assert!(!acme.delete("text").await.unwrap());
    assert!(!acme.exists("text").await.unwrap());
}

async fn a_value_of_another_type_is_a_miss(cache: &Cache) {
    let acme = tenant(cache, "acme");
    acme.set("key", "text").await.unwrap();
    assert_eq!(acme.get::<u32>("key").await.unwrap(), None);
    assert!(acme.exists("key").await.unwrap(), "a miss by type must not remove what another release reads");
}

async fn setting_replaces_value_and_end(cache: &Cache) {
    let acme = tenant(cache, "acme");
    acme.set_with_ttl("key", &1, Duration::from_secs(100)).await.unwrap();
    assert!(
        matches!(acme.ttl("key").await.unwrap(), TimeToLive::Remaining(left) if left <= Duration::from_secs(100) && left > Duration::from_secs(50))
    );
    acme.set("key", &2).await.unwrap();
    assert_eq!(acme.ttl("key").await.unwrap(), TimeToLive::Unlimited);
    assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(2));
    assert_eq!(acme.ttl("absent").await.unwrap(), TimeToLive::Absent);
}

async fn entries_expire(cache: &Cache) {
    let acme = &tenant(cache, "acme");
    let start = Instant::now();
    acme.set_with_ttl("key", &1, Duration::from_millis(50)).await.unwrap();
    acme.set("stays", &1).await.unwrap();
    eventually("the entry expires", || async { acme.get::<i32>("key").await.unwrap().is_none() }).await;
    // The memory backend was measured to end entries up to 1 µs early: moka reads a clock of its own. Redis cuts its clock to
    // milliseconds.
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(49), "it expired early, after {took:?}");
    assert!(!acme.exists("key").await.unwrap());
    assert!(!acme.delete("key").await.unwrap());
    assert!(!acme.expire("key", Duration::from_secs(9)).await.unwrap());
    assert_eq!(acme.ttl("key").await.unwrap(), TimeToLive::Absent);
    assert_eq!(sorted(acme, "*").await, ["stays"]);
    acme.set("key", &2).await.unwrap();
    assert_eq!(sorted(acme, "*").await, ["key", "stays"]);
}

async fn a_time_to_live_of_zero_is_over(cache: &Cache) {
    let acme = tenant(cache, "acme");
    acme.set("key", &1).await.unwrap();
    acme.set_with_ttl("key", &2, Duration::ZERO).await.unwrap();
    assert_eq!(acme.get::<i32>("key").await.unwrap(), None);
    acme.set("key", &3).await.unwrap();
    assert!(acme.expire("key", Duration::ZERO).await.unwrap());
    assert!(!acme.exists("key").await.unwrap());
    assert_eq!(sorted(&acme, "*").await, Vec::<String>::new());
}

async fn expire_changes_the_end(cache: &Cache) {
    let acme = &tenant(cache, "acme");
    acme.set("key", &1).await.unwrap();
    assert!(acme.expire("key", Duration::from_secs(100)).await.unwrap());
    assert!(matches!(acme.ttl("key").await.unwrap(), TimeToLive::Remaining(_)));
    assert_eq!(acme.incr("key", 1).await.unwrap(), 2);
    assert!(matches!(acme.ttl("key").await.unwrap(), TimeToLive::Remaining(_)), "counting keeps the end");
    assert!(acme.expire("key", None).await.unwrap());
    assert_eq!(acme.ttl("key").await.unwrap(), TimeToLive::Unlimited);
    assert!(acme.expire("key", Duration::from_millis(20)).await.unwrap());
    eventually("the new end is kept", || async { !acme.exists("key").await.unwrap() }).await;
    assert!(!acme.expire("absent", None).await.unwrap());
}

async fn an_endless_time_to_live_is_none(cache: &Cache) {
    let acme = tenant(cache, "acme");
    acme.set_with_ttl("key", &1, Duration::MAX).await.unwrap();
    assert_eq!(acme.ttl("key").await.unwrap(), TimeToLive::Unlimited);
    assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(1));
}

async fn numbers_count(cache: &Cache) {
    let acme = tenant(cache, "acme");
    assert_eq!(acme.incr("n", 5).await.unwrap(), 5);
    assert_eq!(acme.decr("n", 7).await.unwrap(), -2);
    assert_eq!(acme.get::<i64>("n").await.unwrap(), Some(-2));
    acme.set("n", &i64::MAX).await.unwrap();
    assert!(matches!(acme.incr("n", 1).await, Err(CacheError::Overflow { .. })));
    assert!(matches!(acme.decr("n", i64::MIN).await, Err(CacheError::Overflow { .. })));
    assert_eq!(acme.get::<i64>("n").await.unwrap(), Some(i64::MAX), "the number is unchanged");
    for other in
        [serde_json::json!("5"), serde_json::json!(1.5), serde_json::json!(u64::MAX), serde_json::json!([1])]
    {
        acme.set("text", &other).await.unwrap();
        assert!(matches!(acme.incr("text", 1).await, Err(CacheError::NotAnInteger { .. })), "{other}");
        assert_eq!(acme.get::<serde_json::Value>("text").await.unwrap(), Some(other));
    }
}

async fn counting_loses_no_step(cache: &Cache) {
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let acme = tenant(cache, "acme");
            tokio::spawn(async move {
                for _ in 0..500 {
                    acme.incr("n", 2).await.unwrap();
                    tokio::task::yield_now().await;
                    acme.decr("n", 1).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(tenant(cache, "acme").get::<i64>("n").await.unwrap(), Some(8 * 500));
}

async fn limits_are_errors(cache: &Cache) {
    let acme = tenant(cache, "acme");
    let longest = "k".repeat(MAX_KEY);
    acme.set(&longest, &1).await.unwrap();
    assert_eq!(sorted(&acme, &longest).await, std::slice::from_ref(&longest));
    let too_long = "k".repeat(MAX_KEY + 1);
    assert!(matches!(acme.set(&too_long, &1).await, Err(CacheError::KeyTooLong { len: 1025 })));
    assert!(matches!(acme.get::<u8>(&too_long).await, Err(CacheError::KeyTooLong { .. })));
    assert!(matches!(acme.keys(&too_long).await, Err(CacheError::KeyTooLong { .. })));
    assert!(matches!(acme.get::<u8>("").await, Err(CacheError::EmptyKey)));
    acme.set("fits", &"x".repeat(98)).await.unwrap();
    let error = acme.set("fits", &"y".repeat(99)).await.unwrap_err();
    assert!(matches!(error, CacheError::ValueTooLarge { len: 101, limit: 100, .. }), "{error}");
    assert!(!error.is_unavailable());
    assert_eq!(acme.get::<String>("fits").await.unwrap(), Some("x".repeat(98)), "the earlier value stays");
    let keys_of_no_text = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(matches!(acme.set("map", &keys_of_no_text).await, Err(CacheError::Encode { .. })));
}

async fn patterns_list_and_clear(cache: &Cache) {
    let acme = tenant(cache, "acme");
    for key in ["a", "b", "a:1", "a:2", "a/1", "[x]", "a*b", "ü"] {
        acme.set(key, &1).await.unwrap();
    }
    assert_eq!(sorted(&acme, "a:*").await, ["a:1", "a:2"]);
    assert_eq!(sorted(&acme, "a?1").await, ["a/1", "a:1"]);
    assert_eq!(sorted(&acme, "?").await, ["a", "b", "ü"]);
    assert_eq!(sorted(&acme, "[ab]").await, ["a", "b"]);
    assert_eq!(sorted(&acme, "\\[x]").await, ["[x]"]);
    assert_eq!(sorted(&acme, "a\\*b").await, ["a*b"]);
    assert_eq!(sorted(&acme, "").await, Vec::<String>::new());
    assert_eq!(sorted(&acme, "acme:*").await, Vec::<String>::new(), "the prefix is no part of a key");
    assert_eq!(acme.clear("a:*").await.unwrap(), 2);
    assert_eq!(acme.clear("a:*").await.unwrap(), 0);
    assert_eq!(sorted(&acme, "a*").await, ["a", "a*b", "a/1"]);
    assert_eq!(acme.clear("*").await.unwrap(), 6);
    assert_eq!(sorted(&acme, "*").await, Vec::<String>::new());
}

async fn many_keys_list_and_clear(cache: &Cache) {
    let acme = tenant(cache, "acme");
    for number in 0..3_000 {
        acme.set(&format!("k{number}"), &number).await.unwrap();
    }
    assert_eq!(acme.keys("*").await.unwrap().len(), 3_000);
    assert_eq!(acme.clear("k1*").await.unwrap(), 1_111);
    assert_eq!(acme.keys("*").await.unwrap().len(), 1_889);
}

async fn tenants_do_not_meet(cache: &Cache) {
    let (acme, globex) = (tenant(cache, "acme"), tenant(cache, "globex"));
    acme.set("key", "acme's").await.unwrap();
    globex.set("key", "globex's").await.unwrap();
    assert_eq!(acme.get::<String>("key").await.unwrap().as_deref(), Some("acme's"));
    assert_eq!(globex.get::<String>("key").await.unwrap().as_deref(), Some("globex's"));
    for reaching in ["acme:key", ":key", "../acme:key", "*:key", "*"] {
        assert_eq!(globex.get::<String>(reaching).await.unwrap(), None, "{reaching}");
        assert!(!globex.delete(reaching).await.unwrap());
    }
    for pattern in ["*", "acme:*", "**", "[!g]*", "*key"] {
        let keys = globex.keys(pattern).await.unwrap();
        assert!(keys.is_empty() || keys == ["key"], "{pattern} listed {keys:?}");
    }
    globex.clear("*").await.unwrap();
    assert_eq!(acme.get::<String>("key").await.unwrap().as_deref(), Some("acme's"));
    assert_eq!(sorted(&acme, "*").await, ["key"]);

    // `a` with `b:c` and `a-b` with `c`, and ids of which one begins with the other.
    let pairs = [("a", "b:c"), ("a-b", "c"), ("ab", "c"), ("a", "c")];
    for (number, (id, key)) in pairs.into_iter().enumerate() {
        tenant(cache, id).set(key, &number).await.unwrap();
    }
    for (number, (id, key)) in pairs.into_iter().enumerate() {
        assert_eq!(tenant(cache, id).get::<usize>(key).await.unwrap(), Some(number), "{id} {key}");
    }
    assert_eq!(sorted(&tenant(cache, "a"), "*").await, ["b:c", "c"]);
}

async fn shared_keys_are_apart(cache: &Cache) {
    let (acme, shared) = (tenant(cache, "acme"), cache.shared());
    acme.set("key", &1).await.unwrap();
    shared.set("key", &2).await.unwrap();
    shared.set("acme:key", &3).await.unwrap();
    assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(1));
    assert_eq!(sorted(&acme, "*").await, ["key"]);
    assert_eq!(acme.clear("*").await.unwrap(), 1);
    assert_eq!(shared.get::<i32>("key").await.unwrap(), Some(2));
    acme.set("key", &1).await.unwrap();
    assert_eq!(shared.clear("*").await.unwrap(), 2);
    assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(1));
}

async fn a_deleted_tenant_leaves_nothing(cache: &Cache) {
    let (acme, globex) = (tenant(cache, "acme"), tenant(cache, "globex"));
    acme.set("a", &1).await.unwrap();
    acme.set("b", &1).await.unwrap();
    globex.set("a", &2).await.unwrap();
    assert_eq!(cache.forget_tenant(&TenantId::parse("acme").unwrap()).await.unwrap(), 2);
    assert_eq!(sorted(&acme, "*").await, Vec::<String>::new());
    assert_eq!(globex.get::<i32>("a").await.unwrap(), Some(2));
}

async fn without_isolation_tenants_share(cache: &Cache) {
    let (acme, globex) = (tenant(cache, "acme"), tenant(cache, "globex"));
    acme.set("key", &1).await.unwrap();
    assert_eq!(globex.get::<i32>("key").await.unwrap(), Some(1));
    assert_eq!(cache.shared().get::<i32>("key").await.unwrap(), Some(1));
    assert_eq!(sorted(&globex, "*").await, ["key"]);
    assert_eq!(cache.forget_tenant(&TenantId::parse("acme").unwrap()).await.unwrap(), 0);
    assert_eq!(globex.clear("*").await.unwrap(), 1);
    assert!(!acme.exists("key").await.unwrap());
}
