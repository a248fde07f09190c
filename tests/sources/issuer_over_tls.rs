//! Keys that are fetched over TLS, from a server whose certificate an authority of the test has signed.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use tempfile::TempDir;
use xcore_tests::{Program, wire};

use crate::shape::claims;

fn openssl(folder: &Path, arguments: &[&str]) {
    let done = Command::new("openssl").args(arguments).current_dir(folder).output();
    let done = done.expect("these tests need openssl: apt-get install openssl");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Makes an authority, `NAME.pem` with its key.
fn authority(folder: &Path, name: &str) {
    let (key, certificate, subject) =
        (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name} of the test"));
    openssl(
        folder,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "1",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &certificate,
            "-addext",
            "keyUsage=critical,keyCertSign",
        ],
    );
}

/// Makes a certificate of the authority `ca` for a name, `NAME.pem` with its key.
fn certificate(folder: &Path, name: &str, subject: &str) {
    let (key, request, signed, extensions) =
        (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"), format!("{name}.ext"));
    openssl(
        folder,
        &[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=issuer",
            "-keyout",
            &key,
            "-out",
            &request,
        ],
    );
    let text = format!("subjectAltName={subject}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n");
    std::fs::write(folder.join(&extensions), text).unwrap();
    openssl(
        folder,
        &[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "1",
            "-extfile",
            &extensions,
            "-out",
            &signed,
        ],
    );
}

/// `openssl s_server`, which serves the files of a folder over TLS.
struct Issuer(Child, u16);

impl Issuer {
    fn start(folder: &Path, name: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        let server = Command::new("openssl")
            .args([
                "s_server",
                "-quiet",
                "-WWW",
                "-accept",
                &format!("127.0.0.1:{port}"),
                "-cert",
                &certificate,
                "-key",
                &key,
            ])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let issuer = Self(server, port);
        let (address, deadline) =
            (SocketAddr::from(([127, 0, 0, 1], port)), Instant::now() + Duration::from_secs(20));
        while let Err(error) = TcpStream::connect(address) {
            assert!(Instant::now() < deadline, "the issuer does not answer: {error}");
            std::thread::sleep(Duration::from_millis(20));
        }
        issuer
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder with two authorities, a certificate of the first for this machine and one for another, and a key set.
fn site() -> (TempDir, EncodingKey) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ca", "stranger"] {
        authority(folder.path(), name);
    }
    certificate(folder.path(), "here", "IP:127.0.0.1");
    certificate(folder.path(), "elsewhere", "DNS:login.example.com");
    openssl(
        folder.path(),
        &["genpkey", "-out", "sign.pem", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    );
    let key = EncodingKey::from_ec_pem(&std::fs::read(folder.path().join("sign.pem")).unwrap()).unwrap();
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    jwk.common.key_id = Some("one".to_owned());
    std::fs::write(folder.path().join("jwks.json"), json!({ "keys": [jwk] }).to_string()).unwrap();
    (folder, key)
}

/// What an app that trusts the authorities in `trusted` says to a good token, and what it has logged.
fn ask(folder: &Path, key: &EncodingKey, served_as: &str, trusted: &str) -> (u16, String, String) {
    let issuer = Issuer::start(folder, served_as);
    let url = format!("https://127.0.0.1:{}/jwks.json", issuer.1);
    let config = folder.join("xcore.yaml");
    let yaml = crate::shape::yaml(&format!(
        "jwt: {{ jwks_url: \"{url}\", audience: rig, issuer: login }}, default_tenant: null, header: null"
    ));
    std::fs::write(&config, yaml).unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_rig"), config.to_str().unwrap())
        .env("SSL_CERT_FILE", folder.join(trusted).to_str().unwrap());
    let server = program.serve();
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::ES256) };
    let token = format!("Bearer {}", encode(&header, &claims("acme"), key).unwrap());
    let headers = [("Authorization", token.as_bytes())];
    let reply = wire::send(server.address, &wire::request("GET", "/v1/echo", &headers, "")).unwrap();
    server.terminate();
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    (reply.status, reply.body, log)
}

#[test]
fn keys_are_fetched_over_tls_from_whom_a_trusted_authority_vouches_for_and_from_nobody_else() {
    let (folder, key) = site();
    let (status, body, log) = ask(folder.path(), &key, "here", "ca.pem");
    assert!(status == 200 && body.contains("acme"), "{status} {body} {log}");
    // Signed by an authority that is not trusted; for another host; by nobody but itself.
    for (served_as, trusted, why) in [
        ("here", "stranger.pem", "UnknownIssuer"),
        ("elsewhere", "ca.pem", "not valid for name"),
        ("stranger", "ca.pem", "certificate"),
    ] {
        let (status, body, log) = ask(folder.path(), &key, served_as, trusted);
        assert_eq!(status, 503, "{served_as} {trusted}: {body}");
        assert!(
            log.contains("the keys of tokens cannot be read") && log.contains(why),
            "{served_as} {trusted}: {log}"
        );
    }
}
