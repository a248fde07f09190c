//! Actions that belong to no tenant, or need not, asked with everything that can name one.

use crate::shape::{SECRET, Site};

const CHAIN: &str = "sources: [header, subdomain, domain, path, jwt, api_key], base_domain: rig.localhost, path: /t, \
    jwt: { secret: 0123456789abcdef0123456789abcdef, audience: rig, issuer: login }, api_key: {}, default_tenant: public";

const REFUSED: &str = "401 credential-not-accepted";
const UNPROVED: &str = "401 credential-missing";
const DISAGREE: &str = "403 tenants-disagree";
const UNEXPECTED: &str = "400 unexpected-tenant";

/// What an action of the board answers.
async fn ask(site: &Site, words: &str, action: &str) -> String {
    let mut request = site.request(words);
    *request.uri_mut() = request.uri().to_string().replace("/v1/echo", action).parse().unwrap();
    let answer = site.rig.send(request).await;
    assert!(!answer.text().contains(SECRET), "{words}");
    match answer.status {
        200 if answer.json().is_array() => "200".to_owned(),
        200 => answer.json()["tenant"].as_str().unwrap_or("nobody").to_owned(),
        status => format!("{status} {}", answer.problem()),
    }
}

async fn check(tenancy: &str, table: &[(&str, &str, &str)]) {
    let site = Site::start(tenancy).await;
    for (words, central, any) in table {
        assert_eq!(ask(&site, words, "/v1/board").await, *central, "central, {words}");
        assert_eq!(ask(&site, words, "/v1/board/whose").await, *any, "any, {words}");
    }
}

#[tokio::test]
async fn who_names_a_tenant_by_whatever_source_does_not_reach_an_action_of_none() {
    let table: &[(&str, &str, &str)] = &[
        ("", "200", "nobody"),
        ("h=www.rig.localhost", "200", "nobody"),
        ("h=elsewhere.test", "200", "nobody"),
        ("auth=Basic~Og==", "200", "nobody"),
        ("t=acme", UNEXPECTED, "acme"),
        ("h=acme.rig.localhost", UNEXPECTED, "acme"),
        ("h=globex.test", UNEXPECTED, "globex"),
        ("p=/t/acme", UNEXPECTED, "acme"),
        ("bearer=jwt:acme", UNEXPECTED, "acme"),
        ("key=key:globex", UNEXPECTED, "globex"),
        ("t=nobody", UNEXPECTED, "404 unknown-tenant"),
        ("bearer=jwt:nobody", UNEXPECTED, "404 unknown-tenant"),
        ("bearer=jwt:forged", REFUSED, REFUSED),
        ("bearer=jwt:no-claim", REFUSED, REFUSED),
        ("key=key:revoked", REFUSED, REFUSED),
        ("bearer=jwt:acme t=globex", DISAGREE, DISAGREE),
        ("p=/t/a.b", "400 malformed-tenant", "400 malformed-tenant"),
    ];
    check(CHAIN, table).await;
}

/// A proof is needed of a tenant, and who names none needs none.
#[tokio::test]
async fn a_tenant_that_is_named_has_to_be_proved_and_nobody_has_not() {
    let table: &[(&str, &str, &str)] = &[
        ("", "200", "nobody"),
        ("t=acme", UNEXPECTED, UNPROVED),
        ("p=/t/acme", UNEXPECTED, UNPROVED),
        ("h=globex.test", UNEXPECTED, UNPROVED),
        ("t=nobody", UNEXPECTED, UNPROVED),
        ("bearer=jwt:acme", UNEXPECTED, "acme"),
        ("bearer=jwt:acme t=acme", UNEXPECTED, "acme"),
        ("key=key:acme", UNEXPECTED, "acme"),
        ("bearer=jwt:expired", REFUSED, REFUSED),
    ];
    check(&format!("{CHAIN}, require_verified: true"), table).await;
}

#[tokio::test]
async fn strangers_name_nobody_by_a_header() {
    let table: &[(&str, &str, &str)] = &[
        ("peer=192.0.2.1", "200", "nobody"),
        ("peer=192.0.2.1 t=acme", "403 untrusted-peer", "403 untrusted-peer"),
        ("peer=10.0.0.1 t=acme", UNEXPECTED, "acme"),
        ("peer=10.0.0.1 h=inner xfh=acme.rig.localhost", UNEXPECTED, "acme"),
    ];
    check(&format!("{CHAIN}, trusted_proxies: [10.0.0.0/8]"), table).await;
}
