//! Random requests against a model that was written from the documentation, not from the code.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use crate::shape::Site;

/// What the sites of these tests have in common.
const COMMON: &str = "sources: [header, subdomain, domain, path, jwt, api_key], base_domain: rig.localhost, path: /t, \
    jwt: { secret: 0123456789abcdef0123456789abcdef, audience: rig, issuer: login }, api_key: {}";

/// One app for every combination of the settings that matter: they only read.
static SITES: LazyLock<(Runtime, Vec<(Rules, Site)>)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let mut sites = Vec::new();
    for (proxies, proof, default) in [
        (false, false, true),
        (false, true, true),
        (true, false, true),
        (true, true, false),
        (false, false, false),
    ] {
        let mut keys = COMMON.to_owned();
        keys += if proxies { ", trusted_proxies: [10.0.0.0/8]" } else { "" };
        keys += if proof { ", require_verified: true" } else { "" };
        keys += if default { ", default_tenant: public" } else { ", default_tenant: null" };
        sites.push((Rules { proxies, proof, default }, runtime.block_on(Site::start(&keys))));
    }
    (runtime, sites)
});

#[derive(Debug, Clone, Copy)]
struct Rules {
    proxies: bool,
    proof: bool,
    default: bool,
}

/// What a part of a request means: a tenant, nobody, or an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    Nothing,
    Tenant(&'static str),
    Wrong,
    Refused,
}
use Says::{Nothing, Refused, Tenant, Wrong};

const NAMES: &[(&str, Says)] = &[
    ("", Nothing),
    ("", Nothing),
    ("t=acme", Tenant("acme")),
    ("t=AcMe", Tenant("acme")),
    ("t=globex", Tenant("globex")),
    ("t=nobody", Tenant("nobody")),
    ("t=public", Tenant("public")),
    ("t=../x", Wrong),
    ("t=pg_x", Wrong),
    ("t=acme t=acme", Wrong),
];

/// Hosts, by the subdomain and by the domain.
const HOSTS: &[(&str, Says, Says)] = &[
    ("", Nothing, Nothing),
    ("acme.rig.localhost", Tenant("acme"), Nothing),
    ("GLOBEX.rig.localhost.:80", Tenant("globex"), Nothing),
    ("nobody.rig.localhost", Tenant("nobody"), Nothing),
    ("www.rig.localhost", Nothing, Nothing),
    ("rig.localhost", Nothing, Nothing),
    ("a.b.rig.localhost", Wrong, Wrong),
    ("pg_x.rig.localhost", Wrong, Nothing),
    ("shop.acme.test", Nothing, Tenant("acme")),
    ("XN--bcher-kva.test:1", Nothing, Tenant("acme")),
    ("globex.test", Nothing, Tenant("globex")),
    ("a..test", Wrong, Wrong),
    ("10.1.2.3", Nothing, Nothing),
    ("[::1]:80", Nothing, Nothing),
];

const PATHS: &[(&str, Says)] = &[
    ("", Nothing),
    ("", Nothing),
    ("p=/t/acme", Tenant("acme")),
    ("p=/t/Globex", Tenant("globex")),
    ("p=/t/nobody", Tenant("nobody")),
    ("p=/t/a.b", Wrong),
];

const TOKENS: &[(&str, Says)] = &[
    ("", Nothing),
    ("", Nothing),
    ("auth=Basic~Og==", Nothing),
    ("bearer=jwt:acme", Tenant("acme")),
    ("bearer=jwt:ACME", Tenant("acme")),
    ("bearer=jwt:globex", Tenant("globex")),
    ("bearer=jwt:public", Tenant("public")),
    ("bearer=jwt:../x", Wrong),
    ("bearer=jwt:forged", Refused),
    ("bearer=jwt:none", Refused),
    ("bearer=jwt:expired", Refused),
    ("bearer=jwt:no-claim", Refused),
    ("bearer=jwt:acme bearer=jwt:acme", Wrong),
];

const KEYS: &[(&str, Says)] = &[
    ("", Nothing),
    ("", Nothing),
    ("key=key:acme", Tenant("acme")),
    ("key=key:globex", Tenant("globex")),
    ("key=key:revoked", Refused),
    ("key=key:made-up", Refused),
    ("key=key:acme key=key:acme", Wrong),
];

const PEERS: &[(&str, bool)] = &[
    ("", false),
    ("peer=10.0.0.1", true),
    ("peer=::ffff:10.9.9.9", true),
    ("peer=192.0.2.1", false),
    ("peer=fd00::1", false),
];

/// How the host of a request is told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    Host,
    XForwarded,
    Forwarded,
    /// By a proxy behind another one.
    Twice,
}

type Shape = (
    usize,
    (&'static str, Says),
    usize,
    usize,
    Told,
    (&'static str, Says),
    (&'static str, Says),
    (&'static str, Says),
    (&'static str, bool),
);

fn shapes() -> impl Strategy<Value = Shape> {
    (
        0..5_usize,
        select(NAMES),
        0..HOSTS.len(),
        0..HOSTS.len(),
        select(&[Told::Host, Told::Host, Told::XForwarded, Told::Forwarded, Told::Twice][..]),
        select(PATHS),
        select(TOKENS),
        select(KEYS),
        select(PEERS),
    )
}

fn words(shape: &Shape) -> String {
    let (_, header, own, other, told, path, token, key, peer) = shape;
    let mut words = format!("{} {} {} {} {}", header.0, path.0, token.0, key.0, peer.0);
    if !HOSTS[*own].0.is_empty() {
        words += &format!(" h={}", HOSTS[*own].0);
    }
    let other = HOSTS[*other].0;
    if !other.is_empty() {
        words += &match told {
            Told::Host => String::new(),
            Told::XForwarded => format!(" xfh=evil.rig.localhost,~{other}"),
            Told::Forwarded => format!(" fwd=host=evil.rig.localhost,~for=192.0.2.9;host=\"{other}\""),
            Told::Twice => format!(" fwd=for=192.0.2.9;host=\"{other}\",~for=10.0.0.2;host=inner"),
        };
    }
    words
}

/// The documentation of `tenancy`, as a function.
fn model(shape: &Shape) -> String {
    let (site, header, own, other, told, path, token, key, peer) = *shape;
    let rules = SITES.1[site].0;
    let answer = |says: Says| match says {
        Wrong => Some("400 malformed-tenant"),
        Refused => Some("401 credential-not-accepted"),
        Nothing | Tenant(_) => None,
    };
    let is_forwarded = told != Told::Host && !HOSTS[other].0.is_empty();
    // The sources in their order: the first that is wrong decides.
    if rules.proxies && !peer.1 && header.1 != Nothing {
        return "403 untrusted-peer".to_owned();
    }
    if let Some(wrong) = answer(header.1) {
        return wrong.to_owned();
    }
    if rules.proxies && !peer.1 && is_forwarded {
        return "403 untrusted-peer".to_owned();
    }
    let host = HOSTS[if rules.proxies && is_forwarded { other } else { own }];
    let all = [header.1, host.1, host.2, path.1, token.1, key.1];
    for says in all {
        if let Some(wrong) = answer(says) {
            return wrong.to_owned();
        }
    }
    let mut named = all.iter().filter_map(|says| match says {
        Tenant(name) => Some(*name),
        _ => None,
    });
    let first = named.next();
    if named.any(|name| Some(name) != first) {
        return "403 tenants-disagree".to_owned();
    }
    let is_proved = [token.1, key.1].iter().any(|says| matches!(says, Tenant(_)));
    if rules.proof && !is_proved {
        return "401 credential-missing".to_owned();
    }
    match first {
        Some("nobody") => "404 unknown-tenant".to_owned(),
        // It is a tenant where it is the default one.
        Some("public") if !rules.default => "404 unknown-tenant".to_owned(),
        Some(name) => name.to_owned(),
        None if rules.default => "public".to_owned(),
        None => "400 missing-tenant".to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_is_admitted_as_the_documentation_says(shape in shapes()) {
        let (runtime, sites) = &*SITES;
        let words = words(&shape);
        let answer = runtime.block_on(sites[shape.0].1.ask(&words));
        prop_assert_eq!(answer, model(&shape), "site {} {}", shape.0, words);
    }
}
