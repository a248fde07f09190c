//! Addresses, hosts, header names and URLs.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value as Json, json};

use super::kind::{Kind, Wrong, Wrongs, text_of};
use crate::config::DatabaseUrl;
use crate::yaml::{Node, Value};

/// An IP address and a port.
pub(crate) struct Listen;

impl Kind for Listen {
    type Value = SocketAddr;

    fn expected() -> String {
        "an IP address and a port such as `127.0.0.1:8080` or `[::]:8080`".to_owned()
    }

    fn read(node: &Node) -> Result<SocketAddr, Wrongs> {
        let text = text_of::<Self>(node)?;
        text.parse().map_err(|_| {
            let wrong = Wrong::expected::<Self>(node);
            let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok());
            match port {
                Some(port) if node.variables.is_empty() => wrong
                    .help(format!(
                        "write `127.0.0.1:{port}` for this machine only, `0.0.0.0:{port}` for every address"
                    ))
                    .into(),
                _ => wrong.into(),
            }
        })
    }

    fn json_schema() -> Json {
        json!({ "type": "string" })
    }
}

/// Empty, or a path that begins with `/` and does not end with it.
pub(crate) struct Prefix;

impl Kind for Prefix {
    type Value = String;

    fn expected() -> String {
        "empty, or a path such as `/v1` that begins with `/` and does not end with it".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        let text = text_of::<Self>(node)?;
        let segment = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        if text.is_empty() || text.strip_prefix('/').is_some_and(|path| path.split('/').all(segment)) {
            return Ok(text.to_owned());
        }
        let mended = format!("/{}", text.trim_matches('/'));
        let wrong = Wrong::expected::<Self>(node);
        let can_mend = node.variables.is_empty() && mended[1..].split('/').all(segment);
        Err(if can_mend { wrong.help(format!("write `{mended}`")) } else { wrong }.into())
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^(/[A-Za-z0-9._~-]+)*$" })
    }
}

/// `http://host` or `https://host:port`, without a path.
pub(crate) struct PublicUrl;

impl Kind for PublicUrl {
    type Value = String;

    fn expected() -> String {
        "a URL of a host without a path, such as `https://shop.example.com`".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        let text = text_of::<Self>(node)?;
        let url = text.strip_suffix('/').unwrap_or(text);
        if host_of(url).is_some() { Ok(url.to_owned()) } else { Err(Wrong::expected::<Self>(node).into()) }
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^https?://[^/?#@]+/?$" })
    }
}

/// The host of a [`PublicUrl`], in lower case, without port, brackets or trailing dot.
pub(crate) fn host_of(url: &str) -> Option<String> {
    let authority = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            port.parse::<u16>().ok()?;
            host
        }
        _ => authority,
    };
    let host = host.to_ascii_lowercase();
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<IpAddr>().is_ok().then(|| address.to_owned());
    }
    let host = host.strip_suffix('.').unwrap_or(&host);
    is_domain(host).then(|| host.to_owned())
}

/// Whether a host is an address rather than a name; an address has no labels that could name a tenant.
pub(crate) fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// RFC 1123: labels of letters, digits and inner hyphens.
fn is_domain(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(label)
}

/// A domain below which the first label names a tenant.
pub(crate) struct BaseDomain;

impl Kind for BaseDomain {
    type Value = String;

    fn expected() -> String {
        "a domain without scheme and port, such as `shop.example.com`".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        let text = text_of::<Self>(node)?.to_ascii_lowercase();
        let domain = text.strip_suffix('.').unwrap_or(&text);
        if is_domain(domain) && !is_address(domain) {
            return Ok(domain.to_owned());
        }
        let mended =
            domain.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("*.");
        let mended = mended.split([':', '/']).next().unwrap_or_default().trim_matches('.');
        let wrong = Wrong::expected::<Self>(node);
        let can_mend = node.variables.is_empty() && is_domain(mended) && !is_address(mended);
        Err(if can_mend { wrong.help(format!("write `{mended}`")) } else { wrong }.into())
    }

    fn json_schema() -> Json {
        json!({ "type": "string" })
    }
}

/// The name of an HTTP header; `null` or `false` turns the source off.
pub(crate) struct HeaderName;

impl Kind for HeaderName {
    type Value = Option<String>;

    const NULLABLE: bool = true;

    fn expected() -> String {
        "the name of an HTTP header such as `X-Tenant-ID`, or `null` for none".to_owned()
    }

    fn read(node: &Node) -> Result<Self::Value, Wrongs> {
        match &node.value {
            Value::Null | Value::Bool(false) => return Ok(None),
            Value::Text(text) if node.loose && matches!(text.as_str(), "" | "false" | "null") => {
                return Ok(None);
            }
            _ => {}
        }
        let text = text_of::<Self>(node)?;
        // RFC 9110, section 5.6.2: token.
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if !text.is_empty() && text.bytes().all(token) {
            Ok(Some(text.to_owned()))
        } else {
            Err(Wrong::expected::<Self>(node).into())
        }
    }

    fn json_schema() -> Json {
        json!({ "anyOf": [{ "type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" }, { "enum": [null, false] }] })
    }

    fn settle(_node: &Node, text: &str) -> Value {
        if matches!(text, "" | "false" | "null") { Value::Null } else { Value::Text(text.to_owned()) }
    }
}

/// Where a server is.
pub(crate) struct ServerUrl;

impl Kind for ServerUrl {
    type Value = DatabaseUrl;

    fn expected() -> String {
        "`postgres://USER@HOST/DATABASE`".to_owned()
    }

    fn read(node: &Node) -> Result<DatabaseUrl, Wrongs> {
        let text = text_of::<Self>(node)?;
        match DatabaseUrl::server_part(text) {
            Some(_) => StorageUrl::read(node),
            // The rest may hold a password and is not shown.
            None => Err(Wrong::new(format!("must be {}", Self::expected())).into()),
        }
    }

    fn json_schema() -> Json {
        json!({ "type": "string" })
    }
}

/// Where tenants' databases are: `sqlite://FOLDER` or `postgres://USER@HOST/DATABASE`.
pub(crate) struct StorageUrl;

impl Kind for StorageUrl {
    type Value = DatabaseUrl;

    fn expected() -> String {
        "`sqlite://FOLDER`, a folder that holds one SQLite file per tenant, or `postgres://USER@HOST/DATABASE`"
            .to_owned()
    }

    fn read(node: &Node) -> Result<DatabaseUrl, Wrongs> {
        let text = text_of::<Self>(node)?;
        if text.starts_with("sqlite::memory:") || text.starts_with("sqlite://:memory:") {
            let wrong = Wrong::new(
                "is a database in memory, which cannot hold one database per tenant nor survive a restart",
            );
            return Err(wrong
                .help("use `sqlite://data`, a folder that holds one SQLite file per tenant")
                .into());
        }
        if let Some(rest) = DatabaseUrl::server_part(text) {
            // The rest may hold a password and is not shown.
            if rest.is_empty() || rest.contains('\0') {
                let wrong = Wrong::new("must name a server and a database after `postgres://`");
                return Err(wrong.help("for example `postgres://shop@localhost/shop`").into());
            }
            return Ok(DatabaseUrl::new(text));
        }
        let Some(folder) = text.strip_prefix("sqlite://") else {
            // Only the scheme is named: the rest may hold a password.
            let wrong = match text.split_once(':') {
                Some(("sqlite", _)) => {
                    Wrong::expected::<Self>(node).help("write two slashes after `sqlite:`")
                }
                Some((scheme, _))
                    if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
                        && node.variables.is_empty() =>
                {
                    Wrong::new(format!("has the scheme `{scheme}`, which this version does not support"))
                        .help("use `sqlite://FOLDER`, which holds one SQLite file per tenant, or `postgres://USER@HOST/DATABASE`")
                }
                _ if node.variables.is_empty() => {
                    Wrong::new(format!("must be {}", Self::expected())).help("for example `sqlite://data`")
                }
                _ => Wrong::expected::<Self>(node).help("for example `sqlite://data`"),
            };
            return Err(wrong.into());
        };
        if folder.is_empty() || folder.contains(['?', '#', '\0']) {
            let wrong = Wrong::new("must name a folder and nothing else after `sqlite://`");
            return Err(wrong
                .help(
                    "for example `sqlite://data`; what other URLs say in a query are keys beside `url` here",
                )
                .into());
        }
        Ok(DatabaseUrl::new(text))
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^(sqlite://[^?#]+|postgres(ql)?://.+)$" })
    }
}
