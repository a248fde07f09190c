//! Requests and what becomes of them.

use std::collections::HashSet;

use crate::shape::Site;

const JWT: &str =
    "jwt: { secret: 0123456789abcdef0123456789abcdef, audience: rig, issuer: login, leeway: 60s }";

const BAD: &str = "400 malformed-tenant";
const MISSING: &str = "400 missing-tenant";
const REFUSED: &str = "401 credential-not-accepted";
const UNPROVED: &str = "401 credential-missing";
const DISAGREE: &str = "403 tenants-disagree";
const UNTRUSTED: &str = "403 untrusted-peer";
const UNKNOWN: &str = "404 unknown-tenant";
const NO_ROUTE: &str = "404 no-such-route";

/// Requests in words, and the tenant that each is admitted to or its refusal.
type Table = &'static [(&'static str, &'static str)];

async fn check(tenancy: &str, table: Table) {
    let site = Site::start(tenancy).await;
    for (words, expect) in table {
        site.check(words, expect).await;
    }
}

/// So many shapes of requests there are at least, each another one of its site.
#[test]
fn the_tables_have_at_least_150_shapes() {
    let tables = [PLAIN, HOSTS, TOGETHER, PROVED, PROXIES, ONE_HEADER];
    let shapes: HashSet<(usize, &str)> = tables
        .iter()
        .enumerate()
        .flat_map(|(site, table)| table.iter().map(move |(words, _)| (site, *words)))
        .collect();
    let rows: usize = tables.iter().map(|table| table.len()).sum();
    assert_eq!(shapes.len(), rows, "a shape stands there twice");
    assert!(shapes.len() >= 150, "{}", shapes.len());
    // Of these kinds at least: a table of refusals alone would show nothing.
    let expected =
        |what: &str| tables.iter().flat_map(|table| *table).filter(|(_, expect)| *expect == what).count();
    for what in
        ["acme", "globex", "public", BAD, MISSING, REFUSED, UNPROVED, DISAGREE, UNTRUSTED, UNKNOWN, NO_ROUTE]
    {
        assert!(expected(what) >= 3, "{what}: {}", expected(what));
    }
}

const PLAIN: Table = &[
    ("", "public"),
    ("t=acme", "acme"),
    ("t=ACME", "acme"),
    ("t=public", "public"),
    ("t=nobody", UNKNOWN),
    ("t=", BAD),
    ("t=../x", BAD),
    ("t=pg_x", BAD),
    ("t=acme,globex", BAD),
    ("t=acme t=acme", BAD),
    ("t=acme t=globex", BAD),
    ("t=~acme", BAD),
    ("h=acme.rig.localhost", "acme"),
    ("h=ACME.Rig.Localhost", "acme"),
    ("h=acme.rig.localhost:8080", "acme"),
    ("h=acme.rig.localhost.", "acme"),
    ("h=acme.rig.localhost.:8080", "acme"),
    ("h=acme.eu.example.com", "acme"),
    ("h=acme.example.com", "acme"),
    ("h=eu.example.com", "public"),
    ("h=example.com", "public"),
    ("h=a.us.example.com", BAD),
    ("h=rig.localhost", "public"),
    ("h=www.rig.localhost", "public"),
    ("h=WWW.rig.localhost:80", "public"),
    ("h=api.example.com", "public"),
    ("h=www.acme.rig.localhost", BAD),
    ("h=a.b.rig.localhost", BAD),
    ("h=acme.acme.rig.localhost", BAD),
    ("h=acme..rig.localhost", BAD),
    ("h=.rig.localhost", BAD),
    ("h=acme.rig.localhost:80:80", BAD),
    ("h=acme.rig.localhost:x", BAD),
    ("h=pg_x.rig.localhost", BAD),
    ("h=xcore.rig.localhost", BAD),
    ("h=b\u{fc}cher.rig.localhost", BAD),
    ("h=xn--bcher-kva.rig.localhost", UNKNOWN),
    ("h=nobody.rig.localhost", UNKNOWN),
    ("h=acmerig.localhost", "public"),
    ("h=acme.elsewhere.test", "public"),
    ("h=127.0.0.1", "public"),
    ("h=127.0.0.1:80", "public"),
    ("h=[::1]", "public"),
    ("h=[::1]:80", "public"),
    ("h=[2001:db8::1]", "public"),
    ("h=[::1", BAD),
    ("h=[::1].rig.localhost", BAD),
    ("h=[acme].rig.localhost", BAD),
    ("h=globex@acme.rig.localhost", BAD),
    ("h=acme.rig.localhost..", BAD),
    ("h=acme.rig.localhost,globex.rig.localhost", BAD),
    ("h=acme.rig.localhost h=acme.rig.localhost", BAD),
    ("h=acme.rig.localhost h=globex.rig.localhost", BAD),
    ("h=%61cme.rig.localhost", BAD),
    ("h=localhost", "public"),
    ("p=http://acme.rig.localhost/v1/echo", "acme"),
    ("p=http://acme.rig.localhost/v1/echo h=globex.rig.localhost", "acme"),
    ("p=http://globex@acme.rig.localhost/v1/echo", "acme"),
    ("t=acme h=acme.rig.localhost", "acme"),
    ("t=acme h=ACME.rig.localhost", "acme"),
    ("t=acme h=www.rig.localhost", "acme"),
    ("t=acme h=globex.rig.localhost", DISAGREE),
    ("t=acme h=nobody.rig.localhost", DISAGREE),
    ("t=acme h=a.b.rig.localhost", BAD),
    ("t=../x h=acme.rig.localhost", BAD),
    // Nothing else is read.
    ("xfh=globex.rig.localhost h=acme.rig.localhost", "acme"),
    ("fwd=host=globex.rig.localhost h=acme.rig.localhost", "acme"),
    ("bearer=jwt:forged t=acme", "acme"),
    ("key=key:made-up t=acme", "acme"),
    ("p=/t/acme", NO_ROUTE),
];

#[tokio::test]
async fn the_plain_sources() {
    let keys = "subdomain: true, base_domain: rig.localhost, base_domains: [example.com, eu.example.com], \
                reserved_labels: [www, api], default_tenant: public";
    check(keys, PLAIN).await;
}

const HOSTS: Table = &[
    ("h=acme.shop.test", "acme"),
    ("h=acme.shop.example.com", "acme"),
    ("h=shop.test", "public"),
    ("h=www.shop.test", "public"),
    ("h=10.1.2.3", "public"),
    ("h=[::ffff:10.1.2.3]:80", "public"),
    ("h=nobody.shop.test", UNKNOWN),
    ("h=pg_x.shop.test", BAD),
    ("t=acme h=acme.shop.test", "acme"),
    ("t=acme h=globex.shop.test", DISAGREE),
    ("t=acme", "acme"),
];

#[tokio::test]
async fn hosts_without_a_base_domain() {
    check("subdomain: true, default_tenant: public", HOSTS).await;
}

const TOGETHER: Table = &[
    ("", "public"),
    ("t=acme", "acme"),
    ("t=../x", BAD),
    ("t=acme t=acme", BAD),
    ("h=acme.rig.localhost", "acme"),
    ("h=www.rig.localhost", "public"),
    ("h=a.b.rig.localhost", BAD),
    // Domains.
    ("h=shop.acme.test", "acme"),
    ("h=SHOP.acme.TEST.:443", "acme"),
    ("h=xn--bcher-kva.test", "acme"),
    ("h=XN--BCHER-KVA.test", "acme"),
    ("h=b\u{fc}cher.test", BAD),
    ("h=globex.test", "globex"),
    ("h=www.globex.test", "public"),
    ("h=acme.test", "public"),
    ("h=x.shop.acme.test", "public"),
    ("h=globex..test", BAD),
    ("h=shop.acme.test t=acme", "acme"),
    ("h=shop.acme.test t=globex", DISAGREE),
    ("h=127.0.0.1", "public"),
    // The path.
    ("p=/t/acme", "acme"),
    ("p=/t/ACME", "acme"),
    ("p=/t/globex", "globex"),
    ("p=/t/nobody", UNKNOWN),
    ("p=/t/../x", NO_ROUTE),
    ("p=/t/%61cme", BAD),
    ("p=/t/acme%2f..%2fglobex", BAD),
    ("p=/t/acme;x=1", BAD),
    ("p=/t/acme%00", BAD),
    ("p=/t/b%C3%BCcher", BAD),
    ("p=/t//acme", BAD),
    ("p=/t///acme", BAD),
    ("p=/t//", BAD),
    ("p=/t//acme t=globex", BAD),
    ("p=//t/acme", NO_ROUTE),
    ("p=/%74/acme", NO_ROUTE),
    ("p=/t/acme/../globex", NO_ROUTE),
    ("p=/t/acme/", NO_ROUTE),
    ("p=/t/a.b", BAD),
    ("p=/t/pg_x", BAD),
    ("p=/t/", BAD),
    ("p=/t", NO_ROUTE),
    ("p=/t/acme/t/globex", NO_ROUTE),
    ("p=/T/acme", NO_ROUTE),
    ("p=/t/acme t=acme", "acme"),
    ("p=/t/acme t=globex", DISAGREE),
    ("p=/t/acme h=globex.rig.localhost", DISAGREE),
    ("p=/t/acme h=shop.acme.test t=acme bearer=jwt:acme key=key:acme", "acme"),
    // Tokens.
    ("bearer=jwt:acme", "acme"),
    ("bearer=jwt:ACME", "acme"),
    ("bearer=jwt:globex", "globex"),
    ("bearer=jwt:public", "public"),
    ("bearer=jwt:nobody", UNKNOWN),
    ("bearer=jwt:../x", BAD),
    ("bearer=jwt:pg_x", BAD),
    ("bearer=jwt:number", REFUSED),
    ("bearer=jwt:no-claim", REFUSED),
    ("bearer=jwt:no-claim t=acme", REFUSED),
    ("bearer=jwt:expired", REFUSED),
    ("bearer=jwt:expired t=acme", REFUSED),
    ("bearer=jwt:just-expired", "acme"),
    ("bearer=jwt:early", REFUSED),
    ("bearer=jwt:forged", REFUSED),
    ("bearer=jwt:forged t=acme h=globex.rig.localhost", REFUSED),
    ("bearer=jwt:none", REFUSED),
    ("bearer=jwt:garbage", REFUSED),
    ("bearer=", REFUSED),
    ("bearer=a", REFUSED),
    ("auth=Bearer t=acme", REFUSED),
    ("auth=bEaReR~~jwt:acme", REFUSED),
    ("auth=Bearer~\u{fc}.b.c t=acme", REFUSED),
    ("auth=Bearer~a,Bearer~b t=acme", REFUSED),
    ("auth=Basic~Og== t=acme", "acme"),
    ("auth=Basic~Og==", "public"),
    ("bearer=jwt:acme bearer=jwt:acme", BAD),
    ("bearer=jwt:acme auth=Basic~Og==", BAD),
    ("bearer=jwt:acme t=acme", "acme"),
    ("bearer=jwt:acme t=globex", DISAGREE),
    ("bearer=jwt:acme h=globex.rig.localhost", DISAGREE),
    ("bearer=jwt:acme h=globex.test", DISAGREE),
    ("bearer=jwt:acme p=/t/globex", DISAGREE),
    ("bearer=jwt:acme t=../x", BAD),
    ("bearer=key:acme", REFUSED),
    // Keys.
    ("key=key:acme", "acme"),
    ("key=key:globex", "globex"),
    ("key=key:revoked", REFUSED),
    ("key=key:revoked t=acme", REFUSED),
    ("key=key:made-up", REFUSED),
    ("key=key:garbage", REFUSED),
    ("key=", REFUSED),
    ("key=\u{fc} t=acme", REFUSED),
    ("key=key:acme key=key:globex", BAD),
    ("key=xK_0000000000000000000000000000000000000000000000000000000000000000 t=acme", REFUSED),
    ("key=jwt:acme", REFUSED),
    ("key=key:acme key=key:acme", BAD),
    ("key=key:acme t=acme", "acme"),
    ("key=key:acme t=globex", DISAGREE),
    ("key=key:acme bearer=jwt:acme", "acme"),
    ("key=key:acme bearer=jwt:globex", DISAGREE),
    ("key=key:acme bearer=jwt:forged", REFUSED),
    ("key=key:made-up bearer=jwt:acme", REFUSED),
    // Forwarded hosts without proxies.
    ("xfh=globex.rig.localhost t=acme", "acme"),
    ("fwd=host=globex.rig.localhost t=acme", "acme"),
    ("fwd=;;; t=acme", "acme"),
];

#[tokio::test]
async fn all_sources_together() {
    let keys = format!(
        "sources: [header, subdomain, domain, path, jwt, api_key], base_domain: rig.localhost, path: /t, {JWT}, api_key: {{}}, \
         default_tenant: public"
    );
    check(&keys, TOGETHER).await;
}

const PROVED: Table = &[
    ("", UNPROVED),
    ("t=acme", UNPROVED),
    ("t=nobody", UNPROVED),
    ("t=../x", BAD),
    ("h=acme.rig.localhost", UNPROVED),
    ("h=shop.acme.test", UNPROVED),
    ("p=/t/acme", UNPROVED),
    ("t=acme h=acme.rig.localhost p=/t/acme", UNPROVED),
    ("t=acme h=globex.rig.localhost", DISAGREE),
    ("bearer=jwt:acme", "acme"),
    ("key=key:acme", "acme"),
    ("key=key:acme t=acme h=acme.rig.localhost", "acme"),
    ("bearer=jwt:acme t=acme", "acme"),
    ("bearer=jwt:acme t=globex", DISAGREE),
    ("bearer=jwt:forged t=acme", REFUSED),
    ("bearer=jwt:nobody", UNKNOWN),
    ("auth=Basic~Og== t=acme", UNPROVED),
    ("key=key:revoked", REFUSED),
    ("bearer=jwt:acme p=/t/acme", "acme"),
    ("bearer=jwt:acme h=127.0.0.1", "acme"),
];

#[tokio::test]
async fn a_proof_is_needed() {
    let keys = format!(
        "sources: [header, subdomain, domain, path, jwt, api_key], base_domain: rig.localhost, path: /t, {JWT}, api_key: {{}}, \
         default_tenant: public, require_verified: true"
    );
    check(&keys, PROVED).await;
}

const PROXIES: Table = &[
    // From nobody in particular, and from strangers.
    ("", "public"),
    ("t=acme", UNTRUSTED),
    ("peer=192.0.2.1", "public"),
    ("peer=192.0.2.1 t=acme", UNTRUSTED),
    ("peer=192.0.2.1 t=../x", UNTRUSTED),
    ("peer=192.0.2.1 h=acme.rig.localhost", "acme"),
    ("peer=192.0.2.1 h=globex.test", "globex"),
    ("peer=192.0.2.1 xfh=globex.rig.localhost h=acme.rig.localhost", UNTRUSTED),
    ("peer=192.0.2.1 fwd=host=globex.rig.localhost h=acme.rig.localhost", UNTRUSTED),
    ("peer=192.0.2.1 fwd=for=10.0.0.1 h=acme.rig.localhost", "acme"),
    ("peer=192.0.2.1 fwd=host h=acme.rig.localhost", UNTRUSTED),
    ("peer=11.0.0.1 t=acme", UNTRUSTED),
    ("peer=2001:db8::1 t=acme", UNTRUSTED),
    ("peer=::ffff:192.0.2.1 t=acme", UNTRUSTED),
    // From a proxy.
    ("peer=10.0.0.1", "public"),
    ("peer=10.255.0.1 t=acme", "acme"),
    ("peer=::ffff:10.0.0.1 t=acme", "acme"),
    ("peer=fd00::1 t=acme", "acme"),
    ("peer=10.0.0.1 t=../x", BAD),
    ("peer=10.0.0.1 h=acme.rig.localhost", "acme"),
    ("peer=10.0.0.1 h=internal xfh=acme.rig.localhost", "acme"),
    ("peer=10.0.0.1 h=globex.rig.localhost xfh=acme.rig.localhost", "acme"),
    ("peer=10.0.0.1 h=internal xfh=ACME.rig.localhost.:443", "acme"),
    ("peer=10.0.0.1 h=internal xfh=globex.test", "globex"),
    ("peer=10.0.0.1 xfh=globex.rig.localhost,~acme.rig.localhost", "acme"),
    ("peer=10.0.0.1 xfh=globex.rig.localhost xfh=acme.rig.localhost", "acme"),
    ("peer=10.0.0.1 xfh=acme.rig.localhost,", BAD),
    ("peer=10.0.0.1 xfh=", BAD),
    ("peer=10.0.0.1 xfh=a.b.rig.localhost", BAD),
    ("peer=10.0.0.1 xfh=acme.rig.localhost t=acme", "acme"),
    ("peer=10.0.0.1 xfh=acme.rig.localhost t=globex", DISAGREE),
    ("peer=10.0.0.1 fwd=host=acme.rig.localhost", "acme"),
    ("peer=10.0.0.1 fwd=Host=\"acme.rig.localhost:443\";proto=https", "acme"),
    ("peer=10.0.0.1 fwd=for=192.0.2.1;host=acme.rig.localhost", "acme"),
    // What a client has said before its proxy is not believed.
    ("peer=10.0.0.1 fwd=host=globex.rig.localhost,~for=192.0.2.1;host=acme.rig.localhost", "acme"),
    ("peer=10.0.0.1 fwd=host=globex.rig.localhost fwd=for=192.0.2.1;host=acme.rig.localhost", "acme"),
    ("peer=10.0.0.1 fwd=for=10.0.0.9;host=globex.rig.localhost,~host=acme.rig.localhost", "acme"),
    ("peer=10.0.0.1 fwd=host=globex.rig.localhost,~for=_hidden;host=acme.rig.localhost", "acme"),
    // What its proxy has said behind another proxy is.
    ("peer=10.0.0.1 fwd=for=192.0.2.1;host=acme.rig.localhost,~for=10.0.0.2;host=inner", "acme"),
    ("peer=10.0.0.1 fwd=for=192.0.2.1;host=acme.rig.localhost,~for=\"[fd00::2]:80\";host=inner", "acme"),
    ("peer=10.0.0.1 fwd=for=192.0.2.1;host=acme.rig.localhost,~for=10.0.0.2", "acme"),
    ("peer=10.0.0.1 fwd=for=192.0.2.1,~for=10.0.0.2;host=acme.rig.localhost", "acme"),
    ("peer=10.0.0.1 fwd=host=globex.rig.localhost,~for=192.0.2.1 h=acme.rig.localhost", "acme"),
    // A quote that the client has opened, and that its proxy's closes.
    ("peer=10.0.0.1 fwd=host=\"globex.rig.localhost,~for=192.0.2.1;host=\"acme.rig.localhost\"", BAD),
    ("peer=10.0.0.1 fwd=x=\"\\,~for=192.0.2.1;host=\"acme.rig.localhost\"", BAD),
    ("peer=10.0.0.1 fwd=host=\"globex.rig.localhost fwd=for=192.0.2.1;host=acme.rig.localhost", BAD),
    ("peer=10.0.0.1 fwd=for=192.0.2.1;host=\"ac\\me.rig.localhost\"", "acme"),
    ("peer=10.0.0.1 fwd=for=192.0.2.1;host=\"acme.rig.localhost,globex.rig.localhost\"", BAD),
    (
        "peer=10.0.0.1 fwd=for=\"10.0.0.9,\";host=globex.rig.localhost,~for=192.0.2.1;host=acme.rig.localhost",
        "acme",
    ),
    // Proxies that are mixed: the chain of trust ends with the first stranger, whatever stands before.
    (
        "peer=10.0.0.1 fwd=for=10.0.0.8;host=globex.rig.localhost,~for=192.0.2.9;host=acme.rig.localhost,~for=10.0.0.2;host=inner",
        "acme",
    ),
    (
        "peer=10.0.0.1 fwd=host=globex.rig.localhost,~for=unknown;host=acme.rig.localhost,~for=10.0.0.2",
        "acme",
    ),
    (
        "peer=10.0.0.1 fwd=for=192.0.2.1;host=acme.rig.localhost xfh=globex.rig.localhost,~acme.rig.localhost",
        "acme",
    ),
    ("peer=10.0.0.1 fwd=for=192.0.2.1;host=acme.rig.localhost,~for=10.0.0.2;host=inner xfh=inner", DISAGREE),
    ("peer=10.0.0.1 fwd=host=globex.rig.localhost,,~for=192.0.2.1;host=acme.rig.localhost,", "acme"),
    ("peer=10.0.0.1 t=acme t=acme", BAD),
    ("peer=192.0.2.1 fwd=host=acme.rig.localhost h=acme.rig.localhost", UNTRUSTED),
    ("peer=10.0.0.1 fwd=host", BAD),
    ("peer=10.0.0.1 fwd=host=\"acme.rig.localhost", BAD),
    ("peer=10.0.0.1 fwd=host=acme.rig.localhost;host=globex.rig.localhost", BAD),
    ("peer=10.0.0.1 fwd=host=acme.rig.localhost xfh=acme.rig.localhost", "acme"),
    ("peer=10.0.0.1 fwd=host=acme.rig.localhost xfh=globex.rig.localhost", DISAGREE),
    // Proofs need no proxy.
    ("peer=192.0.2.1 bearer=jwt:acme", "acme"),
    ("peer=192.0.2.1 key=key:acme", "acme"),
    ("peer=192.0.2.1 key=key:acme t=acme", UNTRUSTED),
    ("peer=192.0.2.1 p=/t/acme", "acme"),
];

#[tokio::test]
async fn only_proxies_are_believed() {
    let keys = format!(
        "sources: [header, subdomain, domain, path, jwt, api_key], base_domain: rig.localhost, path: /t, {JWT}, api_key: {{}}, \
         default_tenant: public, trusted_proxies: [10.0.0.0/8, \"fd00::/8\"]"
    );
    check(&keys, PROXIES).await;
}

const ONE_HEADER: Table = &[
    ("bearer=key:acme", "acme"),
    ("bearer=jwt:acme", "acme"),
    ("bearer=key:revoked", REFUSED),
    ("bearer=key:garbage", REFUSED),
    ("bearer=jwt:forged", REFUSED),
    ("bearer=", REFUSED),
    ("key=key:acme", MISSING),
    ("auth=Basic~Og==", MISSING),
    ("", MISSING),
    // The header is no source here.
    ("t=acme", MISSING),
    ("t=globex bearer=key:acme", "acme"),
];

#[tokio::test]
async fn keys_and_tokens_in_one_header() {
    let keys =
        format!("sources: [jwt, api_key], {JWT}, api_key: {{ header: Authorization }}, default_tenant: null");
    check(&keys, ONE_HEADER).await;
}
