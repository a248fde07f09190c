//! Sources of the app's own, and routes of its own below a tenant's path.

use xcore::async_trait;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::axum::http::request::Parts;
use xcore::tenancy::{Named, TenancyError, TenantId, TenantSource};
use xcore_tests::Rig;

use crate::shape::{outcome, yaml};

/// `X-Badge: acme` names, `X-Badge: acme!` proves.
struct Badge;

#[async_trait]
impl TenantSource for Badge {
    async fn tenant(&self, request: &Parts) -> Result<Option<Named>, TenancyError> {
        let Some(value) = request.headers.get("x-badge") else { return Ok(None) };
        tokio::task::yield_now().await;
        let (name, is_proof) = match value.as_bytes() {
            [name @ .., b'!'] => (name, true),
            name => (name, false),
        };
        let malformed = |problem| TenancyError::Malformed { source_name: "badge", problem };
        let id = TenantId::parse_bytes(name).map_err(malformed)?;
        Ok(Some(if is_proof { Named::verified(id) } else { Named::unverified(id) }))
    }
}

async fn start(tenancy: &str, is_given: bool) -> Result<(Rig, tempfile::TempDir), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("xcore.yaml");
    std::fs::write(&file, yaml(tenancy)).unwrap();
    let builder = Rig::builder().config_file(file);
    let builder = if is_given { builder.source(Badge) } else { builder };
    // Asked first, because a rig that does not start is a failed test.
    let app =
        builder.set("app.listen", "127.0.0.1:0").build().await.map_err(|problem| problem.to_string())?;
    app.shutdown().await;
    let file = folder.path().join("xcore.yaml");
    let rig = Rig::with(|builder| {
        let builder = builder.config_file(file);
        if is_given { builder.source(Badge) } else { builder }
    })
    .await;
    Ok((rig, folder))
}

async fn ask(rig: &Rig, headers: &[(&str, &str)]) -> String {
    let request =
        headers.iter().fold(Request::get("/v1/echo"), |request, (name, value)| request.header(*name, *value));
    outcome(&rig.send(request.body(Body::empty()).unwrap()).await)
}

#[tokio::test]
async fn a_source_of_ones_own_is_asked_and_has_to_agree() {
    let (rig, _folder) = start("default_tenant: public", true).await.unwrap();
    for (headers, expect) in [
        (&[][..], "public"),
        (&[("x-badge", "acme")][..], "acme"),
        (&[("x-badge", "acme!")], "acme"),
        (&[("x-badge", "nobody")], "404 unknown-tenant"),
        (&[("x-badge", "../x")], "400 malformed-tenant"),
        (&[("x-badge", "acme"), ("x-tenant-id", "acme")], "acme"),
        (&[("x-badge", "acme"), ("x-tenant-id", "globex")], "403 tenants-disagree"),
        (&[("x-tenant-id", "globex")], "globex"),
    ] {
        assert_eq!(ask(&rig, headers).await, expect, "{headers:?}");
    }
    let varies = rig.get("acme", "/v1/echo").await;
    assert_eq!(varies.header("vary"), Some("*"), "only the app knows what its source reads");
}

#[tokio::test]
async fn a_source_of_ones_own_can_be_a_proof() {
    let tenancy = "sources: [header, custom], require_verified: true, default_tenant: public";
    let (rig, _folder) = start(tenancy, true).await.unwrap();
    for (headers, expect) in [
        (&[][..], "401 credential-missing"),
        (&[("x-badge", "acme")][..], "401 credential-missing"),
        (&[("x-badge", "acme!")], "acme"),
        (&[("x-badge", "acme!"), ("x-tenant-id", "acme")], "acme"),
        (&[("x-badge", "acme!"), ("x-tenant-id", "globex")], "403 tenants-disagree"),
    ] {
        assert_eq!(ask(&rig, headers).await, expect, "{headers:?}");
    }
}

#[tokio::test]
async fn a_source_that_is_given_has_a_place_and_a_place_has_its_source() {
    let unplaced = start("sources: [header]", true).await.map(drop).unwrap_err();
    assert!(unplaced.contains("does not name `custom`"), "{unplaced}");
    let empty = start("sources: [header, custom]", false).await.map(drop).unwrap_err();
    assert!(empty.contains("names `custom`"), "{empty}");
}

#[tokio::test]
async fn every_route_works_below_the_path_of_a_tenant() {
    let (rig, _folder) = start("path: /t, default_tenant: public", false).await.unwrap();
    let get = async |path: &str| rig.send(Request::get(path).body(Body::empty()).unwrap()).await;
    // A path with a parameter: those of the prefix are none of the action's.
    let item = get("/t/acme/v1/echo/item/7?limit=3").await;
    assert_eq!(item.json(), serde_json::json!({ "tenant": "acme", "id": 7, "limit": 3 }));
    assert_eq!(get("/t/acme/v1/echo/any/a/b").await.json()["rest"], "a/b");
    assert_eq!(get("/t/globex/own/tenant").await.text(), "globex");
    assert_eq!(get("/own/tenant").await.text(), "public");
    assert_eq!(get("/t/acme").await.problem(), "no-such-route");
    assert_eq!(get("/t/").await.problem(), "no-such-route");
    let post = Request::post("/t/acme/v1/echo/upload").body(Body::from("12345")).unwrap();
    assert_eq!(rig.send(post).await.text(), "5");
    let wrong = Request::patch("/t/acme/v1/echo").body(Body::empty()).unwrap();
    assert_eq!(rig.send(wrong).await.problem(), "method-not-allowed");
    let around = xcore::axum::Router::new().nest("/api", rig.router());
    let nested = Request::get("/api/t/acme/v1/echo").body(Body::empty()).unwrap();
    assert_eq!(outcome(&Rig::through(around, nested).await), "acme");
}

#[tokio::test]
async fn a_path_that_a_plugin_has_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("xcore.yaml");
    std::fs::write(&file, yaml("path: /v1, default_tenant: public").replace("prefix: /v1", "prefix: \"\""))
        .unwrap();
    let started = Rig::builder().config_file(&file).build().await;
    assert!(started.is_ok(), "{started:?}");
    std::fs::write(&file, yaml("path: /echo, default_tenant: public").replace("prefix: /v1", "prefix: \"\""))
        .unwrap();
    started.unwrap().shutdown().await;
    let problem = Rig::builder().config_file(&file).build().await.unwrap_err().to_string();
    assert!(problem.contains("begins with `tenancy.path` (/echo)"), "{problem}");
}
