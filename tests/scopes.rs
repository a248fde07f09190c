//! Actions that belong to no tenant, or need not: who reaches them, and what they reach.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::axum::http::{Method, StatusCode};
use xcore_tests::{Answer, Rig};

/// A request without a tenant, unless a header or the host names one.
async fn send(rig: &Rig, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    rig.send(request.body(Body::empty()).unwrap()).await
}

async fn get(rig: &Rig, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(rig, Method::GET, path, headers).await
}

/// What `whose` answers to a call that belongs to no tenant. A whole answer: of an error each member would be null, too.
fn nobodys() -> Value {
    json!({ "tenant": null, "app": "rig" })
}

/// Heads that name a tenant, one way or another. Whether there is such a tenant makes no difference.
const NAMED: &[&[(&str, &str)]] = &[
    &[("x-tenant-id", "acme")],
    &[("x-tenant-id", "ACME")],
    &[("x-tenant-id", "public")],
    &[("x-tenant-id", "nobody")],
    &[("host", "acme.rig.localhost")],
    &[("host", "nobody.rig.localhost:80")],
    &[("x-tenant-id", "acme"), ("host", "acme.rig.localhost")],
];

/// Heads that name none.
const UNNAMED: &[&[(&str, &str)]] = &[&[], &[("host", "rig.localhost")], &[("host", "127.0.0.1:80")]];

#[tokio::test]
async fn an_action_of_no_tenant_is_reached_by_who_names_none_and_by_nobody_else() {
    let rig = Rig::start().await;
    for head in UNNAMED {
        let answer = get(&rig, "/v1/board", head).await;
        assert_eq!((answer.status, answer.json()), (200, json!([])), "{head:?}");
    }
    let mut told = Vec::new();
    for head in NAMED {
        let answer = get(&rig, "/v1/board", head).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "unexpected-tenant"), "{head:?}");
        told.push(answer.json()["detail"].as_str().unwrap().to_owned());
    }
    assert!(told[0].contains("belongs to no tenant") && told[0].contains("x-tenant-id"), "{}", told[0]);
    // The same words for a tenant that is there and for one that is not.
    assert!(told.iter().all(|text| *text == told[0]), "{told:?}");
    // What is no name is no name, and two names that differ are two.
    let malformed = get(&rig, "/v1/board", &[("x-tenant-id", "../x")]).await;
    assert_eq!((malformed.status, malformed.problem().as_str()), (400, "malformed-tenant"));
    let two = get(&rig, "/v1/board", &[("x-tenant-id", "acme"), ("host", "globex.rig.localhost")]).await;
    assert_eq!((two.status, two.problem().as_str()), (403, "tenants-disagree"));
}

#[tokio::test]
async fn an_action_of_a_tenant_is_not_reached_without_one() {
    let rig = Rig::set(&[("tenancy.default_tenant", "null")]).await;
    for head in UNNAMED {
        let answer = get(&rig, "/v1/board/seen", head).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "missing-tenant"), "{head:?}");
        assert_eq!(get(&rig, "/v1/board", head).await.status, 200, "{head:?}");
        assert_eq!(get(&rig, "/v1/board/whose", head).await.json(), nobodys(), "{head:?}");
    }
}

#[tokio::test]
async fn an_action_of_any_scope_belongs_to_the_tenant_that_is_named() {
    let rig = Rig::start().await;
    for head in UNNAMED {
        let answer = get(&rig, "/v1/board/whose", head).await;
        assert_eq!(answer.json(), nobodys(), "{head:?}");
    }
    for (head, tenant) in [
        (&[("x-tenant-id", "acme")][..], "acme"),
        (&[("x-tenant-id", "Globex")], "globex"),
        (&[("host", "acme.rig.localhost")], "acme"),
    ] {
        let answer = get(&rig, "/v1/board/whose", head).await;
        assert_eq!(answer.json()["tenant"], tenant, "{head:?}");
    }
    let unknown = get(&rig, "/v1/board/whose", &[("x-tenant-id", "nobody")]).await;
    assert_eq!((unknown.status, unknown.problem().as_str()), (404, "unknown-tenant"));
    let malformed = get(&rig, "/v1/board/whose", &[("x-tenant-id", "a:b")]).await;
    assert_eq!((malformed.status, malformed.problem().as_str()), (400, "malformed-tenant"));
    // What each did, it did in its own cache; who named nobody did nothing, also not for the default tenant.
    for (tenant, seen) in [("acme", json!(2)), ("globex", json!(1)), ("public", Value::Null)] {
        assert_eq!(rig.get(tenant, "/v1/board/seen").await.json(), seen, "{tenant}");
    }
}

#[tokio::test]
async fn no_argument_brings_a_tenant_into_a_call_that_has_none() {
    let rig = Rig::start().await;
    for path in ["/v1/board/grab", "/v1/board/grab-context", "/v1/board/grab-any"] {
        let answer = get(&rig, path, &[]).await;
        assert_eq!((answer.status, answer.problem().as_str()), (500, "internal"), "{path}");
        assert!(!answer.text().contains("public"), "{}", answer.text());
    }
    let same = get(&rig, "/v1/board/grab-any", &[("x-tenant-id", "acme")]).await;
    assert_eq!(same.text(), "acme true");
}

#[tokio::test]
async fn what_goes_around_an_action_goes_around_one_of_no_tenant() {
    let rig = Rig::start().await;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/v1/board/notices/2")
        .header("content-type", "application/json")
        .header("x-request-id", "mine")
        .body(Body::from(r#"{"text":"hello"}"#));
    let posted = rig.send(request.unwrap()).await;
    assert_eq!((posted.status, posted.header("x-request-id")), (201, Some("mine")));
    assert_eq!(posted.json(), json!({ "app": "rig", "posted": 2 }));
    assert!(posted.header("vary").unwrap().to_ascii_lowercase().contains("x-tenant-id"));
    assert_eq!(rig.get("acme", "/v1/desk/notices").await.json()[1]["text"], "hello");
    assert_eq!(get(&rig, "/v1/board", &[]).await.json()[0]["text"], "hello");

    let panicked = get(&rig, "/v1/board/panic", &[]).await;
    assert_eq!((panicked.status, panicked.problem().as_str()), (500, "internal"));
    let slow = get(&rig, "/v1/board/slow", &[]).await;
    assert_eq!((slow.status, slow.problem().as_str()), (504, "timeout"));
    let body = send(&rig, Method::POST, "/v1/board/notices/2", &[("content-type", "application/json")]).await;
    assert_eq!((body.status, body.problem().as_str()), (400, "bad-request"));
    assert_eq!(send(&rig, Method::DELETE, "/v1/board", &[]).await.problem(), "method-not-allowed");
    assert_eq!(get(&rig, "/v1/board/hidden", &[]).await.status, 404);
}

#[tokio::test]
async fn a_plugin_hands_its_tenant_on_only_to_what_may_have_one() {
    let rig = Rig::start().await;
    rig.app().call_central("board", "post", json!({ "times": 3, "text": "x" })).await.unwrap();
    assert_eq!(rig.get("acme", "/v1/clerk/count").await.json(), json!(3));
    assert_eq!(rig.get("acme", "/v1/clerk/whose").await.json()["tenant"], "acme");
    assert_eq!(get(&rig, "/v1/clerk/central/count", &[]).await.json(), json!(3));
    assert_eq!(get(&rig, "/v1/clerk/central/whose", &[]).await.json(), nobodys());
    assert_eq!(get(&rig, "/v1/clerk/any/whose", &[]).await.json(), nobodys());
    assert_eq!(rig.get("globex", "/v1/clerk/any/whose").await.json()["tenant"], "globex");
}

#[tokio::test]
async fn a_call_by_name_says_whether_it_has_a_tenant() {
    let rig = Rig::start().await;
    let app = rig.app();
    assert_eq!(app.call_central("board", "hidden", json!(null)).await.unwrap(), json!("hidden"));
    assert_eq!(app.call_central("board", "whose", json!(null)).await.unwrap(), nobodys());
    assert_eq!(app.call("board", "whose", "acme", json!(null)).await.unwrap()["tenant"], "acme");
    for (refused, kind) in [
        (app.call("board", "list", "acme", json!(null)).await, "unexpected-tenant"),
        (app.call_central("board", "seen", json!(null)).await, "missing-tenant"),
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(
            (refused.status(), refused.kind()),
            (StatusCode::BAD_REQUEST, format!("urn:xcore:problem:{kind}"))
        );
        assert!(refused.detail().unwrap().contains("board."), "{refused}");
    }
    let grabbed = app.call_central("board", "grab", json!(null)).await.unwrap_err();
    assert_eq!(grabbed.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn with_tenancy_off_a_header_names_nobody() {
    let rig = Rig::set(&[("tenancy.enabled", "false")]).await;
    let named = &[("x-tenant-id", "acme")];
    assert_eq!(get(&rig, "/v1/board", named).await.status, 200);
    assert_eq!(get(&rig, "/v1/board/whose", named).await.json(), nobodys());
}

#[test]
fn the_routes_are_those_that_were_reviewed() {
    xcore::testing::assert_routes(Rig::builder(), "routes.txt");
}

#[test]
#[should_panic(expected = "+ central  GET       /v1/board  board.list")]
fn a_route_that_became_central_has_to_be_reviewed() {
    let reviewed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/routes.txt")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let before = folder.path().join("routes.txt");
    std::fs::write(
        &before,
        reviewed.replace("central  GET       /v1/board ", "tenant   GET       /v1/board "),
    )
    .unwrap();
    xcore::testing::assert_routes(Rig::builder(), before);
}
