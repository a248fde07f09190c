//! Where a Redis server is, and what stands before keys on it.

use serde_json::{Value as Json, json};

use super::kind::{Kind, Wrong, Wrongs, text_of};
use crate::config::DatabaseUrl;
use crate::yaml::Node;

/// `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or the same with `rediss://`.
pub(crate) struct RedisUrl;

impl Kind for RedisUrl {
    type Value = DatabaseUrl;

    fn expected() -> String {
        "`redis://HOST:PORT`, or `rediss://HOST:PORT` with TLS".to_owned()
    }

    fn read(node: &Node) -> Result<DatabaseUrl, Wrongs> {
        let text = text_of::<Self>(node)?;
        // The address may hold a password and is not shown.
        let wrong = || Wrong::new(format!("must be {}", Self::expected()));
        let Some(rest) = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://")) else {
            let help = match text.split_once("://") {
                Some(("valkey" | "keydb" | "tcp", _)) => "begin it with `redis://`",
                Some(("valkeys" | "tls" | "ssl", _)) => "begin it with `rediss://`",
                _ => "for example `redis://127.0.0.1:6379`",
            };
            return Err(wrong().help(help).into());
        };
        if rest.contains(['?', '#']) {
            let wrong = Wrong::new("must name a server and nothing else");
            return Err(wrong.help("what other URLs say in a query are keys beside `url` here").into());
        }
        let server = rest.rsplit_once('@').map_or(rest, |(_, server)| server);
        let (server, database) = server.split_once('/').unwrap_or((server, ""));
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (server, None),
        };
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let is_database = database.is_empty() || database.parse::<u32>().is_ok();
        let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_host {
            return Err(Wrong::new("must name a host after `redis://`")
                .help("for example `redis://127.0.0.1:6379`")
                .into());
        }
        if !is_port {
            return Err(Wrong::new("must have a port from 1 to 65535, or none for 6379").into());
        }
        if !is_database {
            return Err(
                Wrong::new("must have the number of a database after the `/`, or nothing for 0").into()
            );
        }
        Ok(DatabaseUrl::new(text))
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^rediss?://[^?#]+$" })
    }
}

/// What stands before the tenant in each key. It has no `:`, so that it ends at the first one.
pub(crate) struct CachePrefix;

impl Kind for CachePrefix {
    type Value = String;

    fn expected() -> String {
        "1 to 64 characters of a-z, 0-9, `_` and `-`, such as `shop`".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        let text = text_of::<Self>(node)?;
        let fits = |text: &str| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
        };
        if fits(text) {
            return Ok(text.to_owned());
        }
        let wrong = Wrong::expected::<Self>(node);
        let mended = text.trim_end_matches(':').to_ascii_lowercase();
        Err(if node.variables.is_empty() && fits(&mended) {
            wrong.help(format!("write `{mended}`; the `:` after it is added"))
        } else {
            wrong
        }
        .into())
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^[a-z0-9_-]{1,64}$" })
    }
}
