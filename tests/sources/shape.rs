//! Requests in words, and apps to send them to.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::TempDir;
use xcore::TenantId;
use xcore::axum::body::Body;
use xcore::axum::extract::{ConnectInfo, Request};
use xcore_tests::{Answer, Rig};

/// What tokens are signed with here.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// An app with a `tenancy` section of its own, and credentials for it.
pub(crate) struct Site {
    pub(crate) rig: Rig,
    /// API keys and tokens by the names that the shapes use.
    pub(crate) words: HashMap<String, String>,
    _folder: TempDir,
}

/// `xcore.yaml` of the tests with another `tenancy`.
pub(crate) fn yaml(tenancy: &str) -> String {
    let text = include_str!("../xcore.yaml");
    let (before, rest) = text.split_once("\ntenancy:\n").unwrap();
    let (_, after) = rest.split_once("\nplugins:\n").unwrap();
    format!("{before}\ntenancy: {{ ensure: [acme, globex], {tenancy} }}\n\nplugins:\n{after}")
}

/// Starts an app.
pub(crate) async fn rig(tenancy: &str) -> (Rig, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("xcore.yaml");
    std::fs::write(&file, yaml(tenancy)).unwrap();
    (Rig::with(|builder| builder.config_file(file)).await, folder)
}

pub(crate) fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Claims of a token that is good for an hour.
pub(crate) fn claims(tenant: impl Into<Value>) -> Value {
    json!({ "tenant": tenant.into(), "exp": now() + 3600, "aud": "rig", "iss": "login" })
}

pub(crate) fn signed(claims: &Value, secret: &str) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// A token that nobody has signed.
pub(crate) fn unsigned(claims: &Value) -> String {
    let base64 = |json: &Value| {
        // The encoder of the library, without its signature.
        let token = signed(json, SECRET);
        token.split('.').nth(1).unwrap().to_owned()
    };
    format!("{}.{}.", base64(&json!({ "alg": "none", "typ": "JWT" })), base64(claims))
}

impl Site {
    pub(crate) async fn start(tenancy: &str) -> Self {
        let (rig, folder) = rig(tenancy).await;
        let mut words = HashMap::new();
        let with = |change: &dyn Fn(&mut Value)| {
            let mut claims = claims("acme");
            change(&mut claims);
            signed(&claims, SECRET)
        };
        for tenant in ["acme", "ACME", "globex", "nobody", "../x", "pg_x", "public"] {
            words.insert(format!("jwt:{tenant}"), signed(&claims(tenant), SECRET));
        }
        words.insert("jwt:number".into(), signed(&claims(7), SECRET));
        words.insert(
            "jwt:no-claim".into(),
            with(&|claims| drop(claims.as_object_mut().unwrap().remove("tenant"))),
        );
        words.insert("jwt:expired".into(), with(&|claims| claims["exp"] = (now() - 120).into()));
        words.insert("jwt:just-expired".into(), with(&|claims| claims["exp"] = (now() - 20).into()));
        words.insert("jwt:early".into(), with(&|claims| claims["nbf"] = (now() + 120).into()));
        words.insert("jwt:forged".into(), signed(&claims("acme"), "another secret of thirty-two bytes"));
        words.insert("jwt:none".into(), unsigned(&claims("acme")));
        words.insert("jwt:garbage".into(), "a.b.c".into());
        words.insert("key:made-up".into(), format!("xk_{}", "0".repeat(64)));
        words.insert("key:garbage".into(), "xk_../../x".into());
        let tenants = rig.app().instance().tenants();
        for tenant in ["acme", "globex"] {
            let made = tenants.create_key(&id(tenant), "table").await.unwrap();
            words.insert(format!("key:{tenant}"), made.key);
        }
        let revoked = tenants.create_key(&id("acme"), "revoked").await.unwrap();
        tenants.revoke_key(&revoked.id).await.unwrap();
        words.insert("key:revoked".into(), revoked.key);
        for (tenant, domain) in
            [("acme", "Shop.Acme.test"), ("acme", "bücher.test"), ("globex", "globex.test")]
        {
            tenants.add_domain(&id(tenant), domain).await.unwrap();
        }
        Self { rig, words, _folder: folder }
    }

    /// A request in words: `t=acme` is the header, `h=` the host, `p=` the path, `bearer=`, `auth=` and `key=` credentials, `peer=`
    /// who sends it, `xfh=` and `fwd=` what proxies say. `~` stands for a blank.
    pub(crate) fn request(&self, words: &str) -> Request {
        let mut path = String::new();
        let mut peer = None;
        let mut request = Request::builder();
        for word in words.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap();
            let value = value.replace('~', " ");
            let known = self.words.get(&value).unwrap_or(&value);
            request = match name {
                "t" => request.header("x-tenant-id", known),
                "h" => request.header("host", known),
                "bearer" => request.header("authorization", format!("Bearer {known}")),
                "auth" => request.header("authorization", known),
                "key" => request.header("x-api-key", known),
                "xfh" => request.header("x-forwarded-host", known),
                "fwd" => request.header("forwarded", known),
                "p" => {
                    path = value;
                    request
                }
                "peer" => {
                    peer = Some(value.parse::<IpAddr>().unwrap());
                    request
                }
                other => panic!("{other} in {words}"),
            };
        }
        let target = match path.as_str() {
            "" => "/v1/echo".to_owned(),
            absolute if absolute.starts_with("http:") => absolute.to_owned(),
            path => format!("{path}/v1/echo"),
        };
        let mut request = request.uri(target).body(Body::empty()).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer, 4711)));
        }
        request
    }

    /// The tenant that is admitted, or status and problem.
    pub(crate) async fn ask(&self, words: &str) -> String {
        outcome(&self.rig.send(self.request(words)).await)
    }

    /// As [`Site::ask`], and that it is as expected.
    pub(crate) async fn check(&self, words: &str, expect: &str) {
        let answer = self.rig.send(self.request(words)).await;
        assert_eq!(outcome(&answer), expect, "{words}: {}", answer.text());
        if answer.status == 401 {
            assert!(answer.header("www-authenticate").is_some(), "{words}: {answer:?}");
        }
        if answer.status >= 400 {
            let text = answer.text();
            let told = ["globex", SECRET, "xk_", "SELECT"].iter().any(|secret| text.contains(secret));
            assert!(!told, "{words}: {text}");
        }
    }
}

pub(crate) fn outcome(answer: &Answer) -> String {
    if answer.status == 200 {
        answer.json()["tenant"].as_str().unwrap().to_owned()
    } else {
        format!("{} {}", answer.status, answer.problem())
    }
}
