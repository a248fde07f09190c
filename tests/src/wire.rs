//! HTTP byte by byte: requests that no client library would send.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Reply {
    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Sends the bytes as they are and reads until the server closes.
///
/// # Errors
/// When the server cannot be reached, goes away in between, or answers with something that is no HTTP.
pub fn send(address: SocketAddr, request: &[u8]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    finish(stream)
}

/// Reads the answer to a request that was sent.
///
/// # Errors
/// As [`send`].
pub fn finish(mut stream: TcpStream) -> io::Result<Reply> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let invalid = || io::Error::new(io::ErrorKind::UnexpectedEof, "no answer to the request");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(invalid)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(invalid)?;
    Ok(Reply { status, head: head.to_owned(), body: body.to_owned() })
}

/// A request with these header lines. The server closes after its answer.
#[must_use]
pub fn request(method: &str, path: &str, headers: &[(&str, &[u8])], body: &str) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n").into_bytes();
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        bytes.extend_from_slice(b"Host: localhost\r\n");
    }
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    if !body.is_empty() {
        let length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        bytes.extend_from_slice(length.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

/// A GET for a tenant.
///
/// # Errors
/// As [`send`].
pub fn get(address: SocketAddr, tenant: &str, path: &str) -> io::Result<Reply> {
    send(address, &request("GET", path, &[("X-Tenant-ID", tenant.as_bytes())], ""))
}

/// A POST with a JSON body for a tenant.
///
/// # Errors
/// As [`send`].
pub fn post(address: SocketAddr, tenant: &str, path: &str, body: &Value) -> io::Result<Reply> {
    send(address, &request("POST", path, &[("X-Tenant-ID", tenant.as_bytes())], &body.to_string()))
}
