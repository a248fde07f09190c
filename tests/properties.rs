//! Random requests through the whole router: they never panic, and never reach a tenant whose id is not exactly the
//! normalised input.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tokio::runtime::Runtime;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::axum::http::{HeaderValue, Uri};
use xcore_tests::{Answer, Rig, wire};

const TENANTS: [&str; 8] = [
    "acme",
    "globex",
    "a",
    "a-b",
    "0",
    "a_b--c_",
    "acme2",
    "n12345678901234567890123456789012345678901234567890123456789_63",
];

/// One app for all cases: they only read.
static SERVED: LazyLock<(Runtime, Rig)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let rig = runtime.block_on(async {
        let rig = Rig::start().await;
        rig.ensure(&TENANTS).await;
        rig
    });
    (runtime, rig)
});

fn answer(request: Request) -> Answer {
    let (runtime, rig) = &*SERVED;
    runtime.block_on(rig.send(request))
}

/// What a name must be read as, written down a second time: nothing here is shared with the code under test.
fn normalised(raw: &[u8]) -> Option<String> {
    let text = String::from_utf8(raw.to_vec()).ok()?.to_ascii_lowercase();
    let is_name = (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
        && !text.starts_with("pg_")
        && !text.starts_with("xcore")
        && text != "information_schema";
    is_name.then_some(text)
}

/// A tenant's name with a few bytes changed: near misses, which random bytes would never be.
fn near_miss() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), any::<u8>(), 0..5_u8);
    (select(&TENANTS[..]), vec(change, 0..3)).prop_map(|(name, changes)| {
        let mut bytes = name.as_bytes().to_vec();
        for (place, byte, kind) in changes {
            let place = place.index(bytes.len().max(1));
            match kind {
                0 => bytes.insert(place.min(bytes.len()), byte),
                1 if place < bytes.len() => bytes[place] = byte,
                2 if place < bytes.len() => bytes[place].make_ascii_uppercase(),
                3 if place < bytes.len() => drop(bytes.remove(place)),
                _ => bytes.push(byte),
            }
        }
        bytes
    })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => near_miss(),
        2 => vec(any::<u8>(), 0..80),
        1 => "[a-zA-Z0-9_-]{0,70}".prop_map(String::into_bytes),
        1 => "\\PC{0,20}".prop_map(String::into_bytes),
    ]
}

/// The tenant that answered, or the problem.
#[track_caller]
fn outcome(answer: &Answer) -> Result<String, String> {
    if answer.status == 200 {
        Ok(answer.json()["tenant"].as_str().unwrap().to_owned())
    } else {
        Err(answer.problem())
    }
}

/// What one source must lead to.
fn expected(named: &[u8]) -> Result<String, String> {
    match normalised(named) {
        None => Err("malformed-tenant".to_owned()),
        Some(name) if name == "public" || TENANTS.contains(&name.as_str()) => Ok(name),
        Some(_) => Err("unknown-tenant".to_owned()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_header_reaches_its_own_tenant_or_none(name in name()) {
        if let Ok(value) = HeaderValue::from_bytes(&name) {
            let request = Request::get("/v1/echo").header("x-tenant-id", value).body(Body::empty()).unwrap();
            prop_assert_eq!(outcome(&answer(request)), expected(&name), "{:?}", String::from_utf8_lossy(&name));
        }
    }

    #[test]
    fn a_host_reaches_its_own_tenant_or_none(
        name in name(),
        tail in select(&[".rig.localhost", ".RIG.localhost:8080", ".rig.localhost.", ".rig.localhost.:1"][..]),
    ) {
        let host = [&name, tail.as_bytes()].concat();
        if let Ok(value) = HeaderValue::from_bytes(&host) {
            let request = Request::get("/v1/echo").header("host", value).body(Body::empty()).unwrap();
            let got = outcome(&answer(request));
            // A colon or a bracket in the name makes another host of it.
            match &got {
                Ok(tenant) if tenant == "public" && expected(&name) != got => {
                    prop_assert!(name.starts_with(b"[") || name.is_empty(), "{:?}", String::from_utf8_lossy(&host));
                }
                _ => prop_assert_eq!(&got, &expected(&name), "{:?}", String::from_utf8_lossy(&host)),
            }
        }
    }

    #[test]
    fn any_host_at_all_names_its_first_label_or_nothing(host in vec(any::<u8>(), 0..60)) {
        if let Ok(value) = HeaderValue::from_bytes(&host) {
            let request = Request::get("/v1/echo").header("host", value).body(Body::empty()).unwrap();
            if let Ok(tenant) = outcome(&answer(request)) {
                let first = host.split(|byte| *byte == b'.').next().unwrap_or_default();
                prop_assert!(tenant == "public" || normalised(first) == Some(tenant));
            }
        }
    }

    #[test]
    fn two_sources_reach_a_tenant_only_when_they_agree(header in near_miss(), label in near_miss()) {
        let host = [&label, &b".rig.localhost"[..]].concat();
        if let (Ok(header_value), Ok(host)) = (HeaderValue::from_bytes(&header), HeaderValue::from_bytes(&host)) {
            let request = Request::get("/v1/echo").header("x-tenant-id", header_value).header("host", host);
            if let Ok(tenant) = outcome(&answer(request.body(Body::empty()).unwrap())) {
                prop_assert_eq!(Some(tenant.clone()), normalised(&header));
                // An address or another domain names nobody, so it cannot disagree.
                prop_assert!(label.starts_with(b"[") || Some(tenant) == normalised(&label) || label.is_empty());
            }
        }
    }

    #[test]
    fn no_path_changes_the_tenant(path in vec(any::<u8>(), 0..60), tenant in select(&TENANTS[..])) {
        let uri = [&b"/v1/echo/any/"[..], &path].concat();
        if let Ok(uri) = Uri::try_from(uri) {
            let request = Request::get(uri).header("x-tenant-id", tenant).body(Body::empty()).unwrap();
            if let Ok(reached) = outcome(&answer(request)) {
                prop_assert_eq!(reached, tenant);
            }
        }
    }

    #[test]
    fn any_path_is_answered_without_a_panic(path in vec(any::<u8>(), 0..80), tenant in name()) {
        let path = [&b"/"[..], &path].concat();
        if let (Ok(uri), Ok(header)) = (Uri::try_from(path), HeaderValue::from_bytes(&tenant)) {
            let request = Request::get(uri).header("x-tenant-id", header).body(Body::empty()).unwrap();
            let answer = answer(request);
            prop_assert!(answer.status < 500, "{answer:?}");
        }
    }
}

/// The same over a socket, where bytes that no header type would hold can be sent.
#[test]
fn random_bytes_over_the_wire_leave_the_server_well() {
    let (runtime, rig) = &*SERVED;
    let address = runtime.block_on(rig.app().serve()).unwrap();
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    let input = (name(), name(), vec(any::<u8>(), 0..30));
    let outcome = proptest::test_runner::TestRunner::new(config).run(&input, |(header, host, path)| {
        let mut request = b"GET /v1/echo/any/".to_vec();
        request.extend(&path);
        request.extend(b" HTTP/1.1\r\nConnection: close\r\nHost: ");
        request.extend(&host);
        request.extend(b".rig.localhost\r\nX-Tenant-ID: ");
        request.extend(&header);
        request.extend(b"\r\n\r\n");
        // No answer is an answer too: the bytes may be no HTTP at all.
        if let Ok(reply) = wire::send(address, &request)
            && reply.status == 200
        {
            let tenant = reply.json()["tenant"].as_str().unwrap_or_default().to_owned();
            let trimmed = header.trim_ascii().to_vec();
            let is_named = normalised(&trimmed).as_ref() == Some(&tenant)
                // A header that smuggles a line break ends there; then the host names the tenant.
                || header.contains(&b'\n')
                || header.contains(&b'\r')
                || path.contains(&b'\n');
            prop_assert!(is_named, "{tenant} for {:?}", String::from_utf8_lossy(&request));
        }
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(wire::get(address, "acme", "/v1/echo").unwrap().status, 200);
}
