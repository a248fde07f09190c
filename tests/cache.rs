//! The cache of an app, on a server.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use xcore::TenantId;
use xcore::app::TenantError;
use xcore::tenancy::State;
use xcore_tests::{RedisServer, Rig};

fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

async fn eventually(claim: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {claim}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn rig(server: &RedisServer, backend: &str, more: &[(&str, &str)]) -> Rig {
    let url = server.url();
    let mut keys = vec![
        ("services.cache.backend", backend),
        ("services.cache.url", url.as_str()),
        ("services.cache.prefix", backend),
    ];
    keys.extend(more);
    Rig::set(&keys).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_its_keys_on_the_server_until_it_is_deleted() {
    let server = RedisServer::start();
    for backend in ["redis", "tiered"] {
        let rig = rig(&server, backend, &[]).await;
        let (acme, globex) = (rig.notes("acme").await.cache, rig.notes("globex").await.cache);
        acme.set("last_order", &42).await.unwrap();
        globex.set("last_order", &7).await.unwrap();
        assert_eq!(server.cli(&["get", &format!("{backend}:acme:last_order")]), "42");
        assert_eq!(acme.keys("*").await.unwrap(), ["last_order"]);
        assert_eq!(acme.get::<i32>("last_order").await.unwrap(), Some(42));
        rig.app().instance().tenants().purge(&id("acme")).await.unwrap();
        assert_eq!(server.cli(&["exists", &format!("{backend}:acme:last_order")]), "0");
        assert_eq!(globex.get::<i32>("last_order").await.unwrap(), Some(7));
        assert!(
            acme.get::<i32>("last_order").await.is_err(),
            "a handle that outlives its tenant reaches nothing"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_a_503_or_a_miss() {
    let server = RedisServer::start();
    for backend in ["redis", "tiered"] {
        let strict = rig(&server, backend, &[]).await;
        let lenient = rig(&server, backend, &[("services.cache.on_failure", "pass_through")]).await;
        let (strict, lenient) = (strict.notes("acme").await.cache, lenient.notes("acme").await.cache);
        for acme in [&strict, &lenient] {
            acme.set("key", &1).await.unwrap();
            assert_eq!(acme.get::<i32>("key").await.unwrap(), Some(1));
        }
        server.run(false);
        let begin = Instant::now();
        let deadline = begin + Duration::from_secs(20);
        let error = loop {
            assert!(Instant::now() < deadline);
            // For as long as its end is not heard, the near tier may answer.
            if let Err(error) = strict.get::<i32>("key").await {
                break xcore::Error::from(error);
            }
        };
        assert_eq!(error.status(), 503);
        while lenient.get::<i32>("key").await.unwrap().is_some() {
            assert!(Instant::now() < deadline);
        }
        lenient.set("key", &2).await.unwrap();
        server.run(true);
        while strict.set("key", &3).await.is_err() {
            assert!(Instant::now() < deadline, "it does not come back");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while strict.get::<i32>("key").await.ok() != Some(Some(3)) {
            assert!(Instant::now() < deadline, "it does not come back");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_up_does_not_need_a_cache_that_the_app_does_not_need() {
    let server = RedisServer::start();
    for backend in ["redis", "tiered"] {
        let strict = rig(&server, backend, &[]).await;
        let lenient = rig(&server, backend, &[("services.cache.on_failure", "pass_through")]).await;
        let all = [strict.app().instance().tenants(), lenient.app().instance().tenants()];
        for tenants in all {
            tenants.create(&id("leaving")).await.unwrap();
        }
        for rig in [&strict, &lenient] {
            rig.notes("leaving").await.cache.set("secret", &1).await.unwrap();
        }
        server.run(false);
        // The name of a tenant stays taken until nothing of it is left in the cache.
        for tenants in all {
            assert!(tenants.purge(&id("leaving")).await.is_err());
            assert_eq!(tenants.get(&id("leaving")).await.unwrap().state, State::Deleting);
            assert!(tenants.create(&id("leaving")).await.is_err());
        }
        let refused = all[0].create(&id("coming")).await.unwrap_err();
        assert!(matches!(&refused, TenantError::Cache { .. }), "{refused:?}");
        assert_eq!(xcore::Error::from(refused).status(), 503);
        assert_eq!(all[0].get(&id("coming")).await.unwrap().state, State::Failed);
        all[1].create(&id("coming")).await.unwrap();
        assert_eq!(lenient.get("coming", "/v1/notes").await.status, 200);
        server.run(true);
        eventually("it is tried again", async || {
            all[0].get(&id("coming")).await.unwrap().state == State::Active
        })
        .await;
        assert_eq!(strict.get("coming", "/v1/notes").await.status, 200);
        for (tenants, rig) in all.iter().zip([&strict, &lenient]) {
            eventually("it is gone", async || tenants.get(&id("leaving")).await.is_err()).await;
            tenants.create(&id("leaving")).await.unwrap();
            assert_eq!(rig.notes("leaving").await.cache.get::<i32>("secret").await.unwrap(), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cache_of_a_tenant_that_was_made_without_it_is_emptied_when_it_is_back() {
    let server = RedisServer::start();
    let rig = rig(&server, "redis", &[("services.cache.on_failure", "pass_through")]).await;
    assert_eq!(server.cli(&["set", "redis:coming:left", "1"]), "OK");
    // Nothing is written or deleted meanwhile.
    assert_eq!(server.cli(&["client", "pause", "5000", "write"]), "OK");
    rig.app().instance().tenants().create(&id("coming")).await.unwrap();
    assert_eq!(server.cli(&["exists", "redis:coming:left"]), "1");
    eventually("it is emptied", async || server.cli(&["exists", "redis:coming:left"]) == "0").await;
}
