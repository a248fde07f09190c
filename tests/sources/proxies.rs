//! Peers over real sockets.

use xcore_tests::{Rig, wire};

async fn through_a_socket(proxies: &str, headers: &'static [(&'static str, &'static [u8])]) -> (u16, String) {
    let rig = Rig::set(&[("tenancy.trusted_proxies", proxies)]).await;
    let address = rig.app().serve().await.unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        wire::send(address, &wire::request("GET", "/v1/echo", headers, "")).unwrap()
    });
    let reply = asked.await.unwrap();
    (reply.status, reply.body)
}

#[tokio::test]
async fn a_peer_is_known_by_its_socket() {
    let named: &[(&str, &[u8])] = &[("X-Tenant-ID", b"acme")];
    assert_eq!(through_a_socket("127.0.0.1", named).await, (200, r#"{"tenant":"acme"}"#.to_owned()));
    let (status, body) = through_a_socket("192.0.2.0/24", named).await;
    assert!(status == 403 && body.contains("untrusted-peer"), "{status} {body}");
    // A header cannot make it another.
    let lying: &[(&str, &[u8])] =
        &[("X-Tenant-ID", b"acme"), ("X-Forwarded-For", b"192.0.2.1"), ("X-Real-IP", b"192.0.2.1")];
    assert_eq!(through_a_socket("192.0.2.0/24", lying).await.0, 403);
    let forwarded: &[(&str, &[u8])] = &[("Host", b"inner"), ("X-Forwarded-Host", b"globex.rig.localhost")];
    assert_eq!(through_a_socket("127.0.0.0/8", forwarded).await, (200, r#"{"tenant":"globex"}"#.to_owned()));
    let (status, body) = through_a_socket("192.0.2.0/24", forwarded).await;
    assert!(status == 403 && body.contains("untrusted-peer"), "{status} {body}");
}
