//! Tokens, good and forged, and keys that change.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore_tests::{Answer, Rig};

use crate::shape::{claims, now, outcome, rig, signed, unsigned};

const REFUSED: &str = "401 credential-not-accepted";

/// A pair of keys, made once.
struct Pair {
    private: EncodingKey,
    public_pem: String,
    algorithm: Algorithm,
}

fn pair(algorithm: Algorithm) -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        let done = Command::new("openssl").args(arguments).current_dir(folder.path()).output();
        let done = done.expect("these tests need openssl: apt-get install openssl");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let kind: &[&str] = match algorithm {
        Algorithm::RS256 => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        Algorithm::ES256 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        _ => &["-algorithm", "ED25519"],
    };
    openssl(&[&["genpkey", "-out", "private.pem"], kind].concat());
    openssl(&["pkey", "-in", "private.pem", "-pubout", "-out", "public.pem"]);
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let private = match algorithm {
        Algorithm::RS256 => EncodingKey::from_rsa_pem(&read("private.pem")),
        Algorithm::ES256 => EncodingKey::from_ec_pem(&read("private.pem")),
        _ => EncodingKey::from_ed_pem(&read("private.pem")),
    };
    Pair { private: private.unwrap(), public_pem: String::from_utf8(read("public.pem")).unwrap(), algorithm }
}

static RSA: LazyLock<Pair> = LazyLock::new(|| pair(Algorithm::RS256));
static OTHER_RSA: LazyLock<Pair> = LazyLock::new(|| pair(Algorithm::RS256));
static EC: LazyLock<Pair> = LazyLock::new(|| pair(Algorithm::ES256));
static ED: LazyLock<Pair> = LazyLock::new(|| pair(Algorithm::EdDSA));

impl Pair {
    fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.private).unwrap()
    }

    /// As it stands in a key set.
    fn jwk(&self, kid: &str) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.private, self.algorithm).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        serde_json::to_value(jwk).unwrap()
    }
}

async fn send(rig: &Rig, token: &str) -> Answer {
    let request = Request::get("/v1/echo").header("authorization", format!("Bearer {token}"));
    rig.send(request.body(Body::empty()).unwrap()).await
}

async fn ask(rig: &Rig, token: &str) -> String {
    outcome(&send(rig, token).await)
}

fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = claims("acme");
    change(&mut claims);
    claims
}

const NEEDS: &str = "audience: rig, issuer: login";

fn with_pem(pair: &Pair) -> String {
    format!("jwt: {{ public_key: {}, {NEEDS} }}, default_tenant: null, header: null", json!(pair.public_pem))
}

#[tokio::test]
async fn every_algorithm_proves_a_tenant() {
    for pair in [&RSA, &EC, &ED] {
        let (rig, _folder) = rig(&with_pem(pair)).await;
        let token = pair.sign(None, &claims("acme"));
        assert_eq!(ask(&rig, &token).await, "acme", "{:?}", pair.algorithm);
        // One byte of the signature, one of the claims.
        for at in [token.len() - 10, token.find('.').unwrap() + 20] {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(ask(&rig, &String::from_utf8(bytes).unwrap()).await, REFUSED, "{at}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_told_and_the_token_is_refused() {
    let (rig, _folder) = rig(&with_pem(&RSA)).await;
    let good = RSA.sign(None, &claims("acme"));
    let signature = good.rsplit('.').next().unwrap();
    let table: Vec<(String, &str)> = vec![
        (unsigned(&claims("acme")), "no signed token"),
        (OTHER_RSA.sign(None, &claims("acme")), "its signature is wrong"),
        (EC.sign(None, &claims("acme")), "an algorithm that is not allowed"),
        (ED.sign(None, &claims("acme")), "an algorithm that is not allowed"),
        // The public key, which everybody has, as the secret of an HMAC.
        (signed(&claims("acme"), &RSA.public_pem), "an algorithm that is not allowed"),
        (signed(&claims("acme"), RSA.public_pem.trim()), "an algorithm that is not allowed"),
        (RSA.sign(None, &changed(|claims| claims["exp"] = (now() - 120).into())), "it has expired"),
        (RSA.sign(None, &changed(|claims| claims["nbf"] = (now() + 120).into())), "it is not valid yet"),
        (RSA.sign(None, &changed(|claims| claims["aud"] = "other".into())), "it is not for this app"),
        (RSA.sign(None, &changed(|claims| claims["aud"] = json!(["a", "b"]))), "it is not for this app"),
        (RSA.sign(None, &changed(|claims| claims["iss"] = "mallory".into())), "issued by somebody else"),
        (
            RSA.sign(None, &changed(|claims| drop(claims.as_object_mut().unwrap().remove("exp")))),
            "lacks a claim",
        ),
        (
            RSA.sign(None, &changed(|claims| drop(claims.as_object_mut().unwrap().remove("aud")))),
            "lacks a claim",
        ),
        (
            RSA.sign(None, &changed(|claims| drop(claims.as_object_mut().unwrap().remove("iss")))),
            "lacks a claim",
        ),
        (RSA.sign(None, &changed(|claims| claims["tenant"] = json!(["acme"]))), "no text"),
        (RSA.sign(None, &changed(|claims| claims["tenant"] = Value::Null)), "no text"),
        (format!("{}.{signature}", good.split('.').next().unwrap()), "no signed token"),
        (format!("{}.", good.rsplit_once('.').unwrap().0), "its signature is wrong"),
        (format!("{good}.{signature}"), "no signed token"),
    ];
    for (token, reason) in &table {
        let answer = send(&rig, token).await;
        assert_eq!(outcome(&answer), REFUSED, "{reason}: {}", answer.text());
        assert!(answer.text().contains(reason), "{reason}: {}", answer.text());
        let challenge = answer.header("www-authenticate").unwrap();
        assert_eq!(challenge, "Bearer realm=\"rig\", error=\"invalid_token\"");
    }
    let in_list = RSA.sign(None, &changed(|claims| claims["aud"] = json!(["other", "rig"])));
    assert_eq!(ask(&rig, &in_list).await, "acme");
    assert_eq!(ask(&rig, &good).await, "acme");
    assert_eq!(send(&rig, &good).await.header("vary"), Some("authorization"));
}

#[tokio::test]
async fn critical_extensions_that_nobody_knows_are_refused() {
    let (rig, _folder) = rig(&with_pem(&RSA)).await;
    let header = Header { crit: Some(vec!["b64".to_owned()]), ..Header::new(Algorithm::RS256) };
    let token = encode(&header, &claims("acme"), &RSA.private).unwrap();
    assert_eq!(ask(&rig, &token).await, REFUSED);
}

/// A little server of key sets, which counts how often it is asked.
struct Issuer {
    url: String,
    reply: Arc<Mutex<Reply>>,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone)]
enum Reply {
    Keys(Value),
    /// As `Keys`, after a while.
    Slow(Value),
    Away,
    /// Takes the connection and never answers.
    Hangs,
    /// The first half of an answer.
    Stops,
    /// A key set of more than a megabyte.
    Huge(Value),
    Redirect,
}

impl Reply {
    async fn text(self) -> String {
        let (status, body) = match self {
            Self::Keys(keys) => ("200 OK", json!({ "keys": keys }).to_string()),
            Self::Slow(keys) => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                ("200 OK", json!({ "keys": keys }).to_string())
            }
            Self::Away => ("503 Service Unavailable", String::new()),
            Self::Hangs => std::future::pending().await,
            Self::Stops => return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":[".to_owned(),
            Self::Huge(keys) => {
                ("200 OK", json!({ "keys": keys, "padding": "x".repeat(1024 * 1024) }).to_string())
            }
            Self::Redirect => ("302 Found\r\nLocation: http://127.0.0.1:1/jwks.json", String::new()),
        };
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }
}

impl Issuer {
    async fn start(keys: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let reply = Arc::new(Mutex::new(Reply::Keys(keys)));
        let asked = Arc::new(AtomicUsize::new(0));
        let (replies, count) = (Arc::clone(&reply), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let reply = replies.lock().unwrap().clone();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    let _ = stream.read(&mut head).await;
                    let stops = matches!(reply, Reply::Stops);
                    let _ = stream.write_all(reply.text().await.as_bytes()).await;
                    if stops {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { url, reply, asked }
    }

    fn publish(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn rig(&self, refresh: &str) -> (Rig, tempfile::TempDir) {
        let url = &self.url;
        rig(&format!(
            "jwt: {{ jwks_url: \"{url}\", refresh: {refresh}, {NEEDS} }}, default_tenant: null, header: null"
        ))
        .await
    }
}

#[tokio::test]
async fn keys_are_rotated_without_a_restart_and_made_up_ones_are_no_flood() {
    let issuer = Issuer::start(json!([RSA.jwk("one")])).await;
    let (rig, _folder) = issuer.rig("1h").await;
    assert_eq!(issuer.asked(), 0, "an app starts without its issuer");
    let one = RSA.sign(Some("one"), &claims("acme"));
    let asked = (0..20).map(|_| ask(&rig, &one));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer, "acme");
    }
    assert_eq!(issuer.asked(), 1, "all of them wait for one reading");
    // Without a name the only key is meant.
    assert_eq!(ask(&rig, &RSA.sign(None, &claims("acme"))).await, "acme");

    issuer.publish(Reply::Keys(json!([RSA.jwk("one"), EC.jwk("two"), ED.jwk("three")])));
    assert_eq!(ask(&rig, &EC.sign(Some("two"), &claims("globex"))).await, "globex");
    assert_eq!(ask(&rig, &ED.sign(Some("three"), &claims("acme"))).await, "acme");
    assert_eq!(ask(&rig, &one).await, "acme");
    assert_eq!(issuer.asked(), 2);

    for number in 0..50 {
        let made_up = RSA.sign(Some(&format!("made-up-{number}")), &claims("acme"));
        assert_eq!(ask(&rig, &made_up).await, REFUSED);
    }
    assert_eq!(issuer.asked(), 2, "unknown keys are looked for once in ten seconds");
    // A key under the name of another.
    assert_eq!(ask(&rig, &OTHER_RSA.sign(Some("one"), &claims("acme"))).await, REFUSED);
    assert_eq!(ask(&rig, &EC.sign(Some("one"), &claims("acme"))).await, REFUSED);
}

#[tokio::test]
async fn keys_that_were_taken_back_end_with_the_next_reading() {
    let issuer = Issuer::start(json!([RSA.jwk("one")])).await;
    let (rig, _folder) = issuer.rig("100ms").await;
    let one = RSA.sign(Some("one"), &claims("acme"));
    assert_eq!(ask(&rig, &one).await, "acme");
    issuer.publish(Reply::Keys(json!([EC.jwk("two")])));
    for _ in 0..100 {
        if ask(&rig, &one).await == REFUSED {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a key that the issuer no longer publishes is used on");
}

#[tokio::test]
async fn the_last_keys_are_used_on_while_the_issuer_is_away() {
    let issuer = Issuer::start(json!([RSA.jwk("one")])).await;
    issuer.publish(Reply::Away);
    let (rig, _folder) = issuer.rig("100ms").await;
    let one = RSA.sign(Some("one"), &claims("acme"));
    assert_eq!(ask(&rig, &one).await, "503 unavailable", "no keys have been seen yet");
    assert_eq!(send(&rig, &one).await.header("retry-after"), Some("1"));
    issuer.publish(Reply::Keys(json!([RSA.jwk("one")])));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(ask(&rig, &one).await, "acme");
    issuer.publish(Reply::Away);
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(ask(&rig, &one).await, "acme");
    }
    let other = EC.sign(Some("two"), &claims("acme"));
    assert_eq!(ask(&rig, &other).await, "503 unavailable", "it may be a good one");
}

#[tokio::test]
async fn an_issuer_that_hangs_is_waited_for_once_and_not_by_each_request() {
    let issuer = Issuer::start(json!([])).await;
    issuer.publish(Reply::Hangs);
    let (rig, _folder) = issuer.rig("1h").await;
    let one = RSA.sign(Some("one"), &claims("acme"));
    let begun = Instant::now();
    let asked = (0..50).map(|_| ask(&rig, &one));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer, "503 unavailable");
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "it took {:?}", begun.elapsed());
    assert_eq!(issuer.asked(), 1, "all of them wait for one reading");
    let begun = Instant::now();
    assert_eq!(ask(&rig, &one).await, "503 unavailable");
    assert!(begun.elapsed() < Duration::from_secs(1), "it took {:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_leaves_the_keys_as_they_are() {
    let issuer = Issuer::start(json!([RSA.jwk("one")])).await;
    let (rig, _folder) = issuer.rig("100ms").await;
    let one = RSA.sign(Some("one"), &claims("acme"));
    assert_eq!(ask(&rig, &one).await, "acme");
    let stolen = json!([OTHER_RSA.jwk("two"), RSA.jwk("one")]);
    for reply in
        [Reply::Huge(stolen), Reply::Redirect, Reply::Keys(json!("none")), Reply::Stops, Reply::Hangs]
    {
        issuer.publish(reply);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let before = issuer.asked();
        let begun = Instant::now();
        for answer in futures_util::future::join_all((0..40).map(|_| ask(&rig, &one))).await {
            assert_eq!(answer, "acme");
        }
        assert!(begun.elapsed() < Duration::from_secs(4), "nobody waits for it: {:?}", begun.elapsed());
        assert!(issuer.asked() <= before + 1, "one reading at a time");
    }
    let huge = OTHER_RSA.sign(Some("two"), &claims("acme"));
    assert_eq!(ask(&rig, &huge).await, "503 unavailable", "a set that is too large has not been read");
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_end_the_reading_that_it_began() {
    let issuer = Issuer::start(json!([RSA.jwk("one")])).await;
    let (rig, _folder) = issuer.rig("1h").await;
    assert_eq!(ask(&rig, &RSA.sign(Some("one"), &claims("acme"))).await, "acme");
    issuer.publish(Reply::Slow(json!([RSA.jwk("one"), EC.jwk("two")])));
    let made_up = RSA.sign(Some("made-up"), &claims("acme"));
    let given_up = tokio::time::timeout(Duration::from_millis(100), ask(&rig, &made_up)).await;
    assert!(given_up.is_err(), "{given_up:?}");
    // Its reading was the one that there is in ten seconds.
    assert_eq!(ask(&rig, &EC.sign(Some("two"), &claims("globex"))).await, "globex");
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn keys_of_other_kinds_and_for_other_purposes_are_left_out() {
    let mut encrypting = RSA.jwk("one");
    encrypting["use"] = "enc".into();
    let mut other_algorithm = OTHER_RSA.jwk("two");
    other_algorithm["alg"] = "RS512".into();
    // The octets are the secret of the tests: who could sign with it would have it.
    let secret = json!({ "kty": "oct", "kid": "three", "alg": "HS256", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY" });
    let strange = json!({ "kty": "AKP", "kid": "four", "alg": "ML-DSA-44", "pub": "AA" });
    let issuer =
        Issuer::start(json!([encrypting, other_algorithm, secret, strange, 7, EC.jwk("five")])).await;
    let (rig, _folder) = issuer.rig("1h").await;
    assert_eq!(ask(&rig, &EC.sign(Some("five"), &claims("acme"))).await, "acme");
    for token in [
        RSA.sign(Some("one"), &claims("acme")),
        OTHER_RSA.sign(Some("two"), &claims("acme")),
        OTHER_RSA.sign(None, &claims("acme")),
    ] {
        assert_eq!(ask(&rig, &token).await, REFUSED);
    }
    let header = Header { kid: Some("three".to_owned()), ..Header::new(Algorithm::HS256) };
    let secret = EncodingKey::from_secret(crate::shape::SECRET.as_bytes());
    assert_eq!(ask(&rig, &encode(&header, &claims("acme"), &secret).unwrap()).await, REFUSED);
}

#[tokio::test]
async fn a_key_set_can_be_a_file_and_a_bad_one_keeps_the_app_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |text: Option<&str>| {
        let file = folder.path().join("keys.json");
        match text {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => drop(std::fs::remove_file(&file)),
        }
        let yaml = crate::shape::yaml(&format!(
            "jwt: {{ jwks_file: keys.json, {NEEDS} }}, default_tenant: null, header: null"
        ));
        let config: &Path = &folder.path().join("xcore.yaml");
        std::fs::write(config, yaml).unwrap();
        xcore::testing::TestApp::start(Rig::builder().config_file(config)).await
    };
    for bad in [None, Some("no json"), Some("{}")] {
        let failed = start(bad).await.unwrap_err();
        assert!(format!("{failed}").contains("tenancy.jwt"), "{failed}");
    }
    let good = json!({ "keys": [RSA.jwk("one")] }).to_string();
    let app = start(Some(&good)).await.unwrap();
    let token = RSA.sign(Some("one"), &claims("acme"));
    let request = Request::get("/v1/echo").header("authorization", format!("bearer {token}"));
    let answer = Rig::through(app.instance().router(), request.body(Body::empty()).unwrap()).await;
    assert_eq!(outcome(&answer), "acme");
}
