//! What proves a tenant: secrets, keys and what a token must say.

use serde_json::{Value as Json, json};

use super::kind::{Kind, Wrong, Wrongs, text_of};
use super::network::{HeaderName, host_of, is_address};
use crate::config::Hidden;
use crate::yaml::{Node, Value};

/// Bytes of a secret for HS256: as many as its hash has (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

/// A secret that tokens are signed with. No message shows it.
pub(crate) struct Secret;

impl Kind for Secret {
    type Value = Hidden;

    fn expected() -> String {
        format!("a secret of at least {SECRET_BYTES} bytes")
    }

    fn read(node: &Node) -> Result<Hidden, Wrongs> {
        let Value::Text(text) = &node.value else {
            let wrong = Wrong::new(format!("must be {} (its value is not shown)", Self::expected()));
            return Err(wrong.help("write it in quotes, or better name a variable: `${JWT_SECRET}`").into());
        };
        if text.len() < SECRET_BYTES {
            let wrong = Wrong::new(format!(
                "has {} bytes, and whoever guesses a short secret can sign tokens for every tenant; it must have at least {SECRET_BYTES}",
                text.len()
            ));
            return Err(wrong
                .help("make one with `openssl rand -hex 32`, and name it as a variable: `${JWT_SECRET}`")
                .into());
        }
        Ok(Hidden::new(text))
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "minLength": SECRET_BYTES })
    }
}

/// A public key as PEM text.
pub(crate) struct PublicKey;

impl Kind for PublicKey {
    type Value = String;

    fn expected() -> String {
        "a public key as PEM, which begins with `-----BEGIN PUBLIC KEY-----`".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        let wrong = || Wrong::new(format!("must be {}", Self::expected()));
        let Value::Text(text) = &node.value else { return Err(wrong().into()) };
        let pem = text.trim();
        if pem.starts_with("-----BEGIN") && pem.contains("PRIVATE KEY-----") {
            let help = "give the app the public key only: `openssl pkey -in private.pem -pubout`";
            return Err(Wrong::new("holds a private key, and a public one is enough to check tokens")
                .help(help)
                .into());
        }
        if pem.starts_with("-----BEGIN") && pem.contains("PUBLIC KEY-----") {
            Ok(pem.to_owned())
        } else {
            Err(wrong().help("keep its lines: write `public_key: |` and the PEM indented below").into())
        }
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "-----BEGIN [A-Z ]*PUBLIC KEY-----" })
    }
}

/// Where the keys of the one who signs are published.
pub(crate) struct JwksUrl;

impl Kind for JwksUrl {
    type Value = String;

    fn expected() -> String {
        "the URL of a key set, such as `https://login.example.com/.well-known/jwks.json`".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        let text = text_of::<Self>(node)?;
        let wrong = || Wrong::expected::<Self>(node);
        let Some((scheme, rest)) = text.split_once("://") else { return Err(wrong().into()) };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let Some(host) = host_of(&format!("https://{}", &rest[..end])) else { return Err(wrong().into()) };
        let is_printable = |byte: u8| byte.is_ascii_graphic();
        if !text.bytes().all(is_printable) || text.contains('#') {
            return Err(wrong().into());
        }
        let is_here =
            host == "localhost" || (is_address(&host) && (host.starts_with("127.") || host == "::1"));
        match scheme {
            "https" => Ok(text.to_owned()),
            "http" if is_here => Ok(text.to_owned()),
            "http" => {
                let wrong = Wrong::new(
                    "must be fetched by `https://`: who can change the keys on their way can sign for every tenant",
                );
                Err(wrong.help("only a server on this machine may be named with `http://`").into())
            }
            _ => Err(wrong().into()),
        }
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^https?://[^#]+$" })
    }
}

/// Who a token must be for. `null` says: for anybody.
pub(crate) struct Audience;

impl Kind for Audience {
    type Value = Option<String>;

    const NULLABLE: bool = true;

    fn expected() -> String {
        "the audience that tokens for this app have, or `null` to take those for anybody".to_owned()
    }

    fn read(node: &Node) -> Result<Self::Value, Wrongs> {
        match &node.value {
            Value::Null => Ok(None),
            Value::Text(text) if node.loose && matches!(text.as_str(), "" | "null") => Ok(None),
            _ => Text::read(node).map(Some),
        }
    }

    fn json_schema() -> Json {
        json!({ "anyOf": [Text::json_schema(), { "type": "null" }] })
    }

    fn settle(_node: &Node, text: &str) -> Value {
        if matches!(text, "" | "null") { Value::Null } else { Value::Text(text.to_owned()) }
    }
}

/// Any text but an empty one.
pub(crate) struct Text;

impl Kind for Text {
    type Value = String;

    fn expected() -> String {
        "a text".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        let text = text_of::<Self>(node)?;
        if text.is_empty() { Err(Wrong::new("must not be empty").into()) } else { Ok(text.to_owned()) }
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "minLength": 1 })
    }
}

/// The name of a claim. Dots are part of it: many issuers name their claims by URLs.
pub(crate) type ClaimName = Text;

/// A header that requests carry something in.
pub(crate) struct RequestHeader;

impl Kind for RequestHeader {
    type Value = String;

    fn expected() -> String {
        "the name of an HTTP header such as `X-Api-Key` or `Authorization`".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        match HeaderName::read(node) {
            Ok(Some(name)) => Ok(name),
            _ => Err(Wrong::expected::<Self>(node).into()),
        }
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" })
    }
}
