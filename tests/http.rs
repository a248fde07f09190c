//! What a client sees over HTTP: statuses, problem documents, headers.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use serde_json::{Value, json};
use xcore::TenantId;
use xcore::axum::Router;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::axum::http::{Method, StatusCode};
use xcore_tests::{Answer, Rig, wire};

/// What must never be in an answer that a client can read.
#[track_caller]
fn tells_nothing(answer: &Answer) {
    let text = answer.text();
    for secret in ["SELECT", "secret", "globex", "sqlite", ".db", ".rs:", "panicked", "stack backtrace"] {
        assert!(!text.contains(secret), "{secret:?} in {text}");
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &[u8])], body: impl Into<Body>) -> Request {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

const ACME: (&str, &[u8]) = ("x-tenant-id", b"acme");
const JSON: (&str, &[u8]) = ("content-type", b"application/json");

#[tokio::test]
async fn every_way_to_fail_has_its_status_and_its_problem() {
    let rig = Rig::start().await;
    let item: &[u8] = br#"{"name":"a","size":1}"#;
    let both: &[(&str, &[u8])] = &[ACME, ("host", b"globex.rig.localhost")];
    let long = [b'a'; 64];
    #[rustfmt::skip]
    #[expect(clippy::type_complexity, reason = "a table")]
    let table: &[(&str, &str, &[(&str, &[u8])], &[u8], u16, &str)] = &[
        // The tenant.
        ("GET", "/v1/echo", &[("x-tenant-id", b"../x")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("x-tenant-id", b"")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("x-tenant-id", b"a:b")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("x-tenant-id", b"*")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("x-tenant-id", b"pg_catalog")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("x-tenant-id", b"xcore")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("x-tenant-id", b"a%20b")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("x-tenant-id", b"acme, globex")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("x-tenant-id", &long)], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("x-tenant-id", b"\xff\xfe")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[ACME, ACME], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("host", b"a.b.rig.localhost")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("host", b"pg_x.rig.localhost")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", &[("host", b"acme.rig.localhost:x")], b"", 400, "malformed-tenant"),
        ("GET", "/v1/echo", both, b"", 403, "tenants-disagree"),
        ("GET", "http://globex.rig.localhost/v1/echo", &[ACME], b"", 403, "tenants-disagree"),
        ("GET", "/v1/echo", &[("x-tenant-id", b"nobody")], b"", 404, "unknown-tenant"),
        ("GET", "/v1/echo", &[("host", b"nobody.rig.localhost")], b"", 404, "unknown-tenant"),
        // The route.
        ("GET", "/", &[], b"", 404, "no-such-route"),
        ("GET", "/v1/echo/nothing", &[ACME], b"", 404, "no-such-route"),
        ("GET", "/echo", &[ACME], b"", 404, "no-such-route"),
        ("PATCH", "/v1/echo", &[ACME], b"", 405, "method-not-allowed"),
        ("GET", "/v1/echo/upload", &[ACME], b"", 405, "method-not-allowed"),
        ("POST", "/v1/echo/hidden", &[ACME, JSON], item, 404, "no-such-route"),
        ("POST", "/v1/notes/audit", &[ACME], b"", 405, "method-not-allowed"),
        // The arguments.
        ("GET", "/v1/echo/item/x?limit=1", &[ACME], b"", 400, "bad-request"),
        ("GET", "/v1/echo/item/1?limit=999", &[ACME], b"", 400, "bad-request"),
        ("GET", "/v1/echo/item/1", &[ACME], b"", 400, "bad-request"),
        ("POST", "/v1/echo/item", &[ACME], item, 415, "unsupported-media-type"),
        ("POST", "/v1/echo/item", &[ACME, JSON], b"{", 400, "bad-request"),
        ("POST", "/v1/echo/item", &[ACME, JSON], b"", 400, "bad-request"),
        ("POST", "/v1/echo/item", &[ACME, JSON], br#"{"name":"a"}"#, 422, "unprocessable"),
        ("POST", "/v1/echo/form", &[ACME], b"name=a", 415, "unsupported-media-type"),
        // What the action says.
        ("POST", "/v1/echo/item", &[ACME, JSON], br#"{"name":"a","size":0}"#, 422, "unprocessable"),
        ("GET", "/v1/echo/fail/conflict", &[ACME], b"", 409, "urn:rig:paid"),
        ("GET", "/v1/echo/fail/busy", &[ACME], b"", 503, "unavailable"),
        ("GET", "/v1/echo/fail/absent", &[ACME], b"", 404, "not-found"),
        ("GET", "/v1/echo/fail/other", &[ACME], b"", 400, "bad-request"),
        // What it must not say.
        ("GET", "/v1/echo/fail/io", &[ACME], b"", 500, "internal"),
        ("GET", "/v1/echo/fail/sql", &[ACME], b"", 500, "internal"),
        ("GET", "/v1/echo/fail/internal", &[ACME], b"", 500, "internal"),
        ("GET", "/v1/echo/panic", &[ACME], b"", 500, "internal"),
        ("GET", "/v1/echo/forever", &[ACME], b"", 504, "timeout"),
    ];
    for (method, path, headers, body, status, problem) in table {
        let answer = rig.send(request(method, path, headers, body.to_vec())).await;
        assert_eq!(answer.status, *status, "{method} {path} {headers:?}: {}", answer.text());
        assert_eq!(answer.problem(), *problem, "{method} {path} {headers:?}: {}", answer.text());
        tells_nothing(&answer);
    }
}

#[tokio::test]
async fn a_request_that_is_refused_can_be_found_in_the_log() {
    let rig = Rig::start().await;
    for path in ["/v1/echo/panic", "/v1/echo/fail/io", "/v1/echo/forever", "/v1/echo/item/x"] {
        let made = rig.get("acme", path).await;
        assert!(made.header("x-request-id").is_some_and(|id| !id.is_empty()), "{path}");
    }
    let given = rig.send(request("GET", "/v1/echo", &[ACME, ("x-request-id", b"mine-7")], "")).await;
    assert_eq!((given.status, given.header("x-request-id")), (200, Some("mine-7")));
    for odd in [&b"\xff"[..], &[b'x'; 500]] {
        let odd = rig.send(request("GET", "/v1/echo/panic", &[ACME, ("x-request-id", odd)], "")).await;
        assert!(odd.header("x-request-id").unwrap().len() < 100);
    }
}

#[tokio::test]
async fn a_success_has_the_status_that_the_action_names() {
    let rig = Rig::start().await;
    let item = json!({ "name": "a", "size": 3 });
    let created = rig.post("acme", "/v1/echo/item", item.clone()).await;
    assert_eq!((created.status, created.json()), (201, item.clone()));
    let replaced = rig.request(Method::PUT, "acme", "/v1/echo/item/7", Some(item)).await;
    assert_eq!((replaced.status, replaced.json()), (200, json!({ "id": 7, "name": "a", "size": 3 })));
    assert_eq!(rig.request(Method::DELETE, "acme", "/v1/echo/item/7", None).await.status, 204);
    let read = rig.get("acme", "/v1/echo/item/-7?limit=255").await;
    assert_eq!(read.json(), json!({ "tenant": "acme", "id": -7, "limit": 255 }));
    let head = rig.request(Method::HEAD, "acme", "/v1/echo", None).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let form = [ACME, ("content-type", b"application/x-www-form-urlencoded" as &[u8])];
    let form = rig.send(request("POST", "/v1/echo/form", &form, "name=a+b&size=1")).await;
    assert_eq!(form.json(), json!({ "name": "a b", "size": 1 }));
}

#[tokio::test]
async fn problems_carry_what_the_action_adds() {
    let rig = Rig::start().await;
    let paid = rig.get("acme", "/v1/echo/fail/conflict").await;
    assert_eq!(paid.json()["order"], 7);
    assert_eq!(paid.json()["detail"], "it is paid already");
    let busy = rig.get("acme", "/v1/echo/fail/busy").await;
    assert_eq!(busy.header("retry-after"), Some("2"), "1.5 s, rounded up");
    let method = rig.request(Method::PATCH, "acme", "/v1/echo", None).await;
    assert!(method.header("allow").is_some_and(|allow| allow.contains("GET")), "{method:?}");
}

#[tokio::test]
async fn header_and_host_name_the_same_tenant() {
    let rig = Rig::start().await;
    #[rustfmt::skip]
    #[expect(clippy::type_complexity, reason = "a table")]
    let table: &[(&str, &[(&str, &[u8])], &str)] = &[
        ("/v1/echo", &[ACME], "acme"),
        ("/v1/echo", &[("X-Tenant-ID", b"ACME")], "acme"),
        ("/v1/echo", &[("host", b"acme.rig.localhost")], "acme"),
        ("/v1/echo", &[("host", b"AcMe.RIG.localhost.:8080")], "acme"),
        ("/v1/echo", &[ACME, ("host", b"acme.rig.localhost")], "acme"),
        ("/v1/echo", &[ACME, ("host", b"globex.example.com")], "acme"),
        ("http://acme.rig.localhost:80/v1/echo", &[("host", b"globex.rig.localhost")], "acme"),
        ("/v1/echo", &[], "public"),
        ("/v1/echo", &[("host", b"rig.localhost:1")], "public"),
        ("/v1/echo", &[("host", b"[::1]:8080")], "public"),
        ("/v1/echo", &[("host", b"127.0.0.1")], "public"),
        ("/v1/echo", &[("x-tenant-id", b"public")], "public"),
    ];
    for (path, headers, tenant) in table {
        let answer = rig.send(request("GET", path, headers, "")).await;
        assert_eq!(answer.json()["tenant"], *tenant, "{path} {headers:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_panic_takes_nothing_with_it() {
    let rig = Rig::start().await;
    let address = rig.app().serve().await.unwrap();
    let panicked = tokio::task::spawn_blocking(move || {
        // Both go over one connection: the panic must not close it.
        let mut both = b"GET /v1/echo/panic HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: acme\r\n\r\n".to_vec();
        both.extend(wire::request("GET", "/v1/echo", &[("X-Tenant-ID", b"globex")], ""));
        wire::send(address, &both).unwrap()
    });
    let (waited, panicked) = tokio::join!(rig.get("acme", "/v1/echo/wait/50"), panicked);
    let panicked = panicked.unwrap();
    assert_eq!(panicked.status, 500);
    assert!(panicked.body.contains(r#"{"tenant":"globex"}"#), "{}", panicked.body);
    assert_eq!(waited.text(), "waited");
}

#[tokio::test]
async fn the_body_limit_is_the_one_of_the_configuration() {
    let small = Rig::set(&[("app.body_limit", "1KiB")]).await;
    assert_eq!(small.send(request("POST", "/v1/echo/upload", &[ACME], vec![0; 1024])).await.text(), "1024");
    let refused = small.send(request("POST", "/v1/echo/upload", &[ACME], vec![0; 1025])).await;
    assert_eq!((refused.status, refused.problem().as_str()), (413, "payload-too-large"));

    let large = Rig::set(&[("app.body_limit", "4MiB")]).await;
    let three = 3 * 1024 * 1024;
    let taken = large.send(request("POST", "/v1/echo/upload", &[ACME], vec![0; three])).await;
    assert_eq!(taken.text(), three.to_string());

    let usual = Rig::start().await;
    let refused = usual.send(request("POST", "/v1/echo/upload", &[ACME], vec![0; three])).await;
    assert_eq!((refused.status, refused.problem().as_str()), (413, "payload-too-large"));
}

#[tokio::test]
async fn the_time_limit_of_the_app_holds_where_the_action_has_none() {
    let rig = Rig::set(&[("app.request_timeout", "100ms")]).await;
    let stopped = rig.get("acme", "/v1/echo/wait/20000").await;
    assert_eq!((stopped.status, stopped.problem().as_str()), (504, "timeout"));
    assert_eq!(rig.get("acme", "/v1/echo/wait/1").await.text(), "waited");
}

#[tokio::test]
async fn without_a_default_tenant_a_request_must_name_one() {
    let rig = Rig::set(&[("tenancy.default_tenant", "")]).await;
    let refused = rig.send(request("GET", "/v1/echo", &[], "")).await;
    assert_eq!((refused.status, refused.problem().as_str()), (400, "missing-tenant"));
    assert!(refused.text().to_lowercase().contains("x-tenant-id"), "{}", refused.text());
    assert_eq!(rig.get("public", "/v1/echo").await.problem(), "unknown-tenant");
    assert_eq!(rig.get("acme", "/v1/echo").await.status, 200);
}

#[tokio::test]
async fn with_tenancy_off_every_request_is_the_default_tenants() {
    let rig = Rig::set(&[("tenancy.enabled", "false"), ("tenancy.default_tenant", "solo")]).await;
    for headers in
        [&[][..], &[ACME], &[("x-tenant-id", b"../x" as &[u8])], &[("host", b"acme.rig.localhost" as &[u8])]]
    {
        let answer = rig.send(request("GET", "/v1/echo", headers, "")).await;
        assert_eq!(answer.json()["tenant"], "solo", "{headers:?}");
    }
}

#[tokio::test]
async fn the_sources_are_those_of_the_configuration() {
    let renamed = Rig::set(&[("tenancy.header", "X-Customer")]).await;
    let answer = renamed.send(request("GET", "/v1/echo", &[ACME, ("x-customer", b"globex")], "")).await;
    assert_eq!(answer.json()["tenant"], "globex");

    let only_hosts = Rig::set(&[("tenancy.header", "")]).await;
    let answer = only_hosts.send(request("GET", "/v1/echo", &[ACME], "")).await;
    assert_eq!(answer.json()["tenant"], "public");

    let only_header = Rig::set(&[("tenancy.subdomain", "false")]).await;
    let answer = only_header.send(request("GET", "/v1/echo", &[("host", b"acme.rig.localhost")], "")).await;
    assert_eq!(answer.json()["tenant"], "public");
}

#[tokio::test]
async fn routes_of_ones_own_get_contexts_as_extractors() {
    let rig = Rig::start().await;
    assert_eq!(rig.get("acme", "/own/tenant").await.text(), "acme");
    let ctx = rig.notes("globex").await;
    assert_eq!(ctx.tenant.id().as_str(), "globex");
    assert_eq!(rig.get("../x", "/own/tenant").await.problem(), "malformed-tenant");
    assert_eq!(rig.get("nobody", "/own/notes-context").await.problem(), "unknown-tenant");
}

#[tokio::test]
async fn a_router_of_ones_own_may_hold_the_app() {
    let rig = Rig::start().await;
    let around = Router::new().nest("/api", rig.router());
    let answer = Rig::through(around, request("GET", "/api/v1/echo", &[ACME], "")).await;
    assert_eq!(answer.json()["tenant"], "acme");
}

#[tokio::test]
async fn a_call_to_another_plugin_carries_the_tenant_and_the_failure() {
    let rig = Rig::start().await;
    rig.post("globex", "/v1/notes", json!({ "text": "one" })).await;
    assert_eq!(rig.get("globex", "/v1/desk/audit").await.json(), json!({ "tenant": "globex", "notes": 1 }));
    assert_eq!(rig.get("acme", "/v1/desk/audit").await.json(), json!({ "tenant": "acme", "notes": 0 }));

    let relayed = rig.post("acme", "/v1/desk/relay", json!({ "text": "two" })).await;
    assert_eq!((relayed.status, relayed.json()), (201, json!({ "id": 1, "text": "two" })));
    let twice = rig.post("acme", "/v1/desk/relay", json!({ "text": "two" })).await;
    assert_eq!((twice.status, twice.problem().as_str()), (409, "conflict"));
    tells_nothing(&twice);
    let long = rig.post("acme", "/v1/desk/relay", json!({ "text": "x".repeat(1001) })).await;
    assert_eq!(long.status, 422);
}

#[tokio::test]
async fn a_call_by_name_takes_its_arguments_for_path_query_and_body() {
    let rig = Rig::start().await;
    let call = |action: &'static str, arguments: Value| rig.app().call("echo", action, "acme", arguments);
    let read = call("item", json!({ "id": 7, "limit": 3 })).await.unwrap();
    assert_eq!(read, json!({ "tenant": "acme", "id": 7, "limit": 3 }));
    let replaced = call("replace", json!({ "id": 7, "name": "a/b?c=%", "size": 2 })).await.unwrap();
    assert_eq!(replaced, json!({ "id": 7, "name": "a/b?c=%", "size": 2 }));
    let any = call("any", json!({ "rest": "a b/../%2e%2e/ü?x#y" })).await.unwrap();
    assert_eq!(any["rest"], "a b/../%2e%2e/ü?x#y");
    let hidden = call("hidden", json!({ "name": "inside", "size": 1 })).await.unwrap();
    assert_eq!(hidden, json!({ "tenant": "acme", "name": "inside" }));
    assert_eq!(call("remove", json!({ "id": 1 })).await.unwrap(), Value::Null);

    let refused = [
        (call("item", json!({ "limit": 3 })).await, StatusCode::BAD_REQUEST),
        (call("item", json!(7)).await, StatusCode::BAD_REQUEST),
        (call("nothing", json!({})).await, StatusCode::NOT_FOUND),
        (call("create", json!({ "name": "a", "size": 0 })).await, StatusCode::UNPROCESSABLE_ENTITY),
        (call("panic", json!(null)).await, StatusCode::INTERNAL_SERVER_ERROR),
        (rig.app().call("nobody", "item", "acme", json!({})).await, StatusCode::NOT_FOUND),
        (rig.app().call("echo", "whose", "nobody", json!({})).await, StatusCode::NOT_FOUND),
        (rig.app().call("echo", "whose", "../x", json!({})).await, StatusCode::BAD_REQUEST),
    ];
    for (outcome, status) in refused {
        assert_eq!(outcome.unwrap_err().status(), status);
    }
    let paid = call("fail", json!({ "how": "conflict" })).await.unwrap_err();
    assert_eq!((paid.kind().as_str(), paid.detail()), ("urn:rig:paid", Some("it is paid already")));
}

#[tokio::test]
async fn a_call_by_name_may_be_made_for_the_default_tenant() {
    let rig = Rig::start().await;
    let public = rig.app().instance().default_tenant().unwrap();
    let answer = rig.app().instance().call("echo", "whose", &public, json!(null)).await.unwrap();
    assert_eq!(answer, json!({ "tenant": "public" }));
    assert!(
        rig.app().instance().call("echo", "whose", &TenantId::parse("b").unwrap(), json!({})).await.is_err()
    );
}

#[tokio::test]
async fn a_request_that_is_given_up_by_the_client_ends_alone() {
    let rig = Rig::start().await;
    let given_up =
        tokio::time::timeout(Duration::from_millis(20), rig.get("acme", "/v1/echo/wait/20000")).await;
    assert!(given_up.is_err());
    assert_eq!(rig.get("acme", "/v1/echo").await.status, 200);
}

#[tokio::test]
async fn a_call_by_name_reaches_the_action_that_it_names_and_no_other() {
    let rig = Rig::start().await;
    assert_eq!(rig.get("acme", "/v1/echo/any/wipe").await.json()["wiped"], true);
    let named = rig.app().call("echo", "any", "acme", json!({ "rest": "wipe" })).await.unwrap();
    assert_eq!(named, json!({ "tenant": "acme", "rest": "wipe" }));
}

#[tokio::test]
async fn an_argument_that_the_program_forgot_to_provide_is_not_told_to_the_client() {
    let rig = Rig::start().await;
    let answer = rig.get("acme", "/v1/echo/lacking").await;
    assert_eq!((answer.status, answer.problem().as_str()), (500, "internal"));
    let text = answer.text();
    assert!(!text.contains("Echo") && !text.to_lowercase().contains("extension"), "{text}");
    tells_nothing(&answer);
}

#[tokio::test]
async fn a_fallback_of_ones_own_is_served() {
    let page = async |tenant: xcore::Tenant| format!("the page of {tenant}");
    let rig = Rig::with(|builder| builder.routes(Router::new().fallback(page))).await;
    for path in ["/", "/nothing", "/v1/echo/nothing", "/v1/echo/hidden"] {
        let answer = rig.get("acme", path).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "the page of acme"), "{path}");
    }
    assert_eq!(rig.get("acme", "/own/tenant").await.text(), "acme");
    assert_eq!(rig.get("nobody", "/nothing").await.status, 404);
    let method = rig.request(Method::DELETE, "acme", "/own/tenant", None).await;
    assert_eq!((method.status, method.problem().as_str()), (405, "method-not-allowed"));
}

#[tokio::test]
async fn a_fallback_below_a_path_of_ones_own_is_for_that_path_only() {
    let app = Router::new().fallback(async || "page");
    let rig = Rig::with(|builder| builder.routes(Router::new().nest("/app", app))).await;
    assert_eq!(rig.get("acme", "/app/nothing").await.text(), "page");
    assert_eq!(rig.get("acme", "/nothing").await.problem(), "no-such-route");
}
