//! API keys and domains over their lives.

use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore_tests::{Program, eventually, wire};

use crate::shape::{Site, id, outcome};

const KEYS: &str =
    "sources: [domain, api_key], base_domain: rig.localhost, api_key: {}, default_tenant: null";

#[tokio::test]
async fn a_key_and_a_domain_end_with_their_tenant() {
    let site = Site::start(KEYS).await;
    let tenants = site.rig.app().instance().tenants();
    tenants.create(&id("initech")).await.unwrap();
    let key = tenants.create_key(&id("initech"), "").await.unwrap().key;
    tenants.add_domain(&id("initech"), "initech.test").await.unwrap();
    let by_key = async || {
        let request = Request::get("/v1/echo").header("x-api-key", &key).body(Body::empty()).unwrap();
        outcome(&site.rig.send(request).await)
    };
    assert_eq!(by_key().await, "initech");
    site.check("h=initech.test", "initech").await;
    // Kept, and of no use, until it is restored.
    tenants.delete(&id("initech")).await.unwrap().expect("it can be restored");
    assert_eq!(by_key().await, "404 unknown-tenant");
    site.check("h=initech.test", "404 unknown-tenant").await;
    tenants.restore(&id("initech")).await.unwrap();
    assert_eq!(by_key().await, "initech");
    site.check("h=initech.test", "initech").await;
    tenants.purge(&id("initech")).await.unwrap();
    assert_eq!(by_key().await, "401 credential-not-accepted");
    site.check("h=initech.test", "400 missing-tenant").await;
    // Another tenant of the name has nothing of the first.
    tenants.create(&id("initech")).await.unwrap();
    assert_eq!(by_key().await, "401 credential-not-accepted");
    site.check("h=initech.test", "400 missing-tenant").await;
    assert!(tenants.keys(&id("initech")).await.unwrap().is_empty());
}

/// A deletion waits for the key that is being made, or the key is for a tenant that is gone and is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_outlives_its_tenant_however_both_race() {
    let site = Site::start(KEYS).await;
    let app = site.rig.app().instance().clone();
    let ask = async |key: &str| {
        let request = Request::get("/v1/echo").header("x-api-key", key).body(Body::empty()).unwrap();
        outcome(&site.rig.send(request).await)
    };
    let (mut made, mut late) = (Vec::new(), 0);
    for round in 0..15_u64 {
        app.tenants().create(&id("initech")).await.unwrap();
        let making: Vec<_> = (0..12_u64)
            .map(|number| {
                let app = app.clone();
                tokio::spawn(async move {
                    let tenants = app.tenants();
                    tokio::time::sleep(std::time::Duration::from_millis(number * 3)).await;
                    let key = tenants.create_key(&id("initech"), "").await;
                    // What a domain is given to is the same.
                    let _ = tenants.add_domain(&id("initech"), &format!("d{number}.initech.test")).await;
                    key
                })
            })
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(round * 2)).await;
        app.tenants().purge(&id("initech")).await.unwrap();
        for key in making {
            match key.await.unwrap() {
                Ok(key) => made.push(key.key),
                Err(_) => late += 1,
            }
        }
        for key in &made {
            assert_eq!(ask(key).await, "401 credential-not-accepted", "round {round}");
        }
        assert!(
            app.tenants().domains().await.unwrap().iter().all(|record| *record.tenant.as_str() != *"initech")
        );
    }
    assert!(!made.is_empty() && late > 0, "they did not race: {} made, {late} late", made.len());
    // Nor does one come to life with the next tenant of the name.
    app.tenants().create(&id("initech")).await.unwrap();
    assert!(app.tenants().keys(&id("initech")).await.unwrap().is_empty());
    for key in &made {
        assert_eq!(ask(key).await, "401 credential-not-accepted");
    }
}

#[tokio::test]
async fn a_domain_is_one_tenants_and_none_below_a_base() {
    let site = Site::start(KEYS.replace("[domain", "[subdomain, domain").as_str()).await;
    let tenants = site.rig.app().instance().tenants();
    let taken = tenants.add_domain(&id("acme"), "GLOBEX.test.").await.unwrap_err();
    assert!(format!("{:?}", taken).contains("DomainTaken"), "{taken}");
    for domain in ["rig.localhost", "acme.rig.localhost", "a.b.rig.localhost"] {
        let refused = tenants.add_domain(&id("acme"), domain).await.unwrap_err().to_string();
        assert!(refused.contains("base domain"), "{refused}");
    }
    assert!(tenants.add_domain(&id("nobody"), "nobody.test").await.is_err());
    assert!(tenants.create_key(&id("nobody"), "").await.is_err());
    tenants.remove_domain("globex.test").await.unwrap();
    assert!(tenants.remove_domain("globex.test").await.is_err());
    assert_eq!(tenants.add_domain(&id("acme"), "globex.test").await.unwrap(), "globex.test");
    site.check("h=globex.test", "acme").await;
    let all = tenants.domains().await.unwrap();
    let all: Vec<&str> = all.iter().map(|record| record.domain.as_str()).collect();
    assert_eq!(all, ["globex.test", "shop.acme.test", "xn--bcher-kva.test"]);
}

/// Look-ups are remembered by name, so a name must not be as long as a header may be.
#[tokio::test]
async fn a_host_that_is_too_long_for_a_domain_is_refused_before_it_is_looked_up() {
    let site = Site::start(KEYS).await;
    let label = "a".repeat(49);
    let longest = [label.as_str(); 5].join(".") + ".ab";
    assert_eq!(longest.len(), 252);
    site.check(&format!("h={longest}."), "400 missing-tenant").await;
    site.check(&format!("h={longest}c:80"), "400 missing-tenant").await;
    site.check(&format!("h={longest}cd"), "400 malformed-tenant").await;
    site.check(&format!("h={}", longest.repeat(50)), "400 malformed-tenant").await;
}

#[tokio::test]
async fn only_a_hash_of_a_key_is_kept() {
    let site = Site::start(KEYS).await;
    let key = &site.words["key:acme"];
    let mut files = vec![site.rig.app().folder().to_owned()];
    let mut seen = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        seen += usize::from(bytes.windows(9).any(|window| window == b"xcore_api"));
        for secret in [key.as_bytes(), &key.as_bytes()[3..]] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
        }
    }
    assert!(seen > 0 || std::env::var_os("XCORE_TEST_DATABASE").is_some(), "the table was not looked at");
}

/// From another process, as an operator does it.
#[test]
fn the_command_line_makes_and_revokes_and_a_server_sees_it_within_two_seconds() {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), crate::shape::yaml(KEYS)).unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_rig"), config.path().to_str().unwrap());
    let server = program.serve();
    let ask = |name: &'static str, value: &str| {
        let headers = [(name, value.as_bytes())];
        wire::send(server.address, &wire::request("GET", "/v1/echo", &headers, "")).unwrap()
    };
    let made = program.succeed(&["tenant", "key", "create", "acme", "--label", "for a test"]);
    let key = made.trim();
    assert!(key.starts_with("xk_") && key.len() == 67, "{made}");
    eventually(|| (ask("X-Api-Key", key).status == 200).then_some(()));
    let listed = program.succeed(&["tenant", "key", "list", "acme"]);
    assert!(listed.contains("for a test") && !listed.contains(&key[3..20]), "{listed}");
    let id = listed.split_whitespace().next().unwrap();
    program.succeed(&["tenant", "key", "revoke", id]);
    let revoked = std::time::Instant::now();
    eventually(|| (ask("X-Api-Key", key).status == 401).then_some(()));
    assert!(revoked.elapsed().as_secs() < 3, "it took {:?}", revoked.elapsed());
    assert_eq!(program.run(&["tenant", "key", "revoke", id]).status.code(), Some(4));

    program.succeed(&["tenant", "domain", "add", "globex", "Bücher.example"]);
    eventually(|| ask("Host", "xn--bcher-kva.example").body.contains("globex").then_some(()));
    assert!(program.succeed(&["tenant", "domain", "list"]).contains("xn--bcher-kva.example"));
    assert_eq!(program.succeed(&["tenant", "domain", "list", "acme"]), "");
    let taken = program.run(&["tenant", "domain", "add", "acme", "BÜCHER.example"]);
    assert_eq!(taken.status.code(), Some(5));
    assert_eq!(program.run(&["tenant", "domain", "add", "acme", "http://x.y"]).status.code(), Some(2));
    program.succeed(&["tenant", "domain", "remove", "bücher.example"]);
    eventually(|| (ask("Host", "xn--bcher-kva.example").status == 400).then_some(()));
    server.stop();
}
