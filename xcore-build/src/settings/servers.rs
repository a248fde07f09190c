//! Several database servers, and their replicas.

use serde_json::{Value as Json, json};

use super::kind::{Kind, Wrong, Wrongs};
use super::list::List;
use super::name::is_plugin_name;
use super::network::ServerUrl;
use crate::config::{DatabaseServer, DatabaseUrl};
use crate::suggest;
use crate::yaml::{Entry, Map, Node, Value};

/// The longest name of a server.
const NAME: usize = 63;

/// Servers by name, in the order of the file: the first one holds what all tenants share.
pub(crate) struct ServerMap;

impl Kind for ServerMap {
    type Value = Vec<DatabaseServer>;

    fn expected() -> String {
        "a section with one server per line, `NAME: postgres://USER:PASSWORD@HOST/DATABASE`".to_owned()
    }

    fn read(node: &Node) -> Result<Self::Value, Wrongs> {
        let Some(map) = node.map() else { return Err(Wrong::expected::<Self>(node).into()) };
        if map.entries.is_empty() {
            return Err(Wrong::new("names no server").help("name at least one, or use `url`").into());
        }
        let (mut servers, mut wrongs) = (Vec::<DatabaseServer>::new(), Vec::new());
        for entry in &map.entries {
            match server(entry) {
                Ok(Some(found)) => match servers.iter().find(|other| other.url == found.url) {
                    Some(other) => wrongs.push(
                        Wrong::new(format!("gives `{}` the address of `{}`", found.name, other.name))
                            .help("each server has an address of its own; remove one of the two")
                            .at(&entry.node.origin),
                    ),
                    None => servers.push(found),
                },
                Ok(None) => {}
                Err(Wrongs(found)) => wrongs.extend(found.into_iter().map(|wrong| wrong.at(&entry.origin))),
            }
        }
        if wrongs.is_empty() { Ok(servers) } else { Err(Wrongs(wrongs)) }
    }

    fn json_schema() -> Json {
        let address = json!({ "type": "string", "pattern": "^postgres(ql)?://.+$" });
        let variable = json!({ "type": "string", "pattern": "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}" });
        let url = json!({ "anyOf": [address, variable] });
        let in_full = json!({
            "type": "object",
            "properties": { "url": url, "replicas": { "type": "array", "items": url, "uniqueItems": true } },
            "required": ["url"],
            "additionalProperties": false,
        });
        json!({
            // A list of types marks a section, in whose place no variable can stand.
            "type": ["object"],
            "minProperties": 1,
            "propertyNames": { "pattern": "^[a-z][a-z0-9_]*$", "maxLength": NAME },
            "additionalProperties": { "anyOf": [url, in_full] },
        })
    }
}

/// `None` when its address is not known yet.
fn server(entry: &Entry) -> Result<Option<DatabaseServer>, Wrongs> {
    let name = entry.key.as_str();
    if !is_plugin_name(name) || name.len() > NAME || name.contains("__") {
        let message = format!(
            "has `{name}`, which is no name of a server: use a-z, 0-9 and single `_`, beginning with a letter, at most {NAME}"
        );
        let mended = name.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
        let mut wrong = Wrong::new(message);
        if is_plugin_name(&mended) && mended.len() <= NAME && !mended.contains("__") {
            wrong = wrong.help(format!("write `{mended}`"));
        }
        return Err(wrong.into());
    }
    let Some(map) = entry.node.map() else {
        let url = address(name, &entry.node)?;
        return Ok(url.map(|url| DatabaseServer::new(name, url, Vec::new())));
    };
    check_keys(name, map)?;
    let Some(node) = map.get("url") else {
        return Err(Wrong::new(format!("has `{name}` without `url`"))
            .help(format!("add `url:` below `{name}:`, {}", ServerUrl::expected()))
            .into());
    };
    let url = address(name, node)?;
    let replicas = match map.get("replicas").filter(|node| !node.is_pending()) {
        Some(node) => {
            List::<ServerUrl>::read(node).map_err(|wrongs| about(name, "replicas", wrongs, node))?
        }
        None => Vec::new(),
    };
    Ok(url.map(|url| DatabaseServer::new(name, url, replicas)))
}

fn check_keys(name: &str, map: &Map) -> Result<(), Wrongs> {
    const KEYS: [&str; 2] = ["url", "replicas"];
    let unknown = map.entries.iter().filter(|entry| !KEYS.contains(&entry.key.as_str()));
    let wrongs: Vec<Wrong> = unknown
        .map(|entry| {
            let help = match suggest::nearest(&entry.key, KEYS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "a server has `url` and `replicas`; the other keys are beside `servers`, for all of them"
                        .to_owned()
                }
            };
            Wrong::new(format!("has an unknown key `{}` in `{name}`", entry.key)).help(help).at(&entry.origin)
        })
        .collect();
    if wrongs.is_empty() { Ok(()) } else { Err(Wrongs(wrongs)) }
}

fn address(name: &str, node: &Node) -> Result<Option<DatabaseUrl>, Wrongs> {
    if node.is_pending() {
        return Ok(None);
    }
    ServerUrl::read(node).map(Some).map_err(|wrongs| about(name, "address", wrongs, node))
}

/// Says which server it is about, and where.
fn about(name: &str, what: &str, Wrongs(wrongs): Wrongs, node: &Node) -> Wrongs {
    let named = wrongs.into_iter().map(|wrong| {
        let message = match &node.value {
            Value::List(_) => format!("has `{name}`, one of whose {what} {}", wrong.message),
            _ => format!("has `{name}`, whose {what} {}", wrong.message),
        };
        Wrong { message, ..wrong }.at(&node.origin)
    });
    Wrongs(named.collect())
}
