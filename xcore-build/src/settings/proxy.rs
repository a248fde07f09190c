//! Labels of hosts, prefixes of paths, and networks of proxies.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value as Json, json};

use super::kind::{Kind, Wrong, Wrongs, text_of};
use super::network::Prefix;
use crate::yaml::Node;

/// One label of a host.
pub(crate) struct HostLabel;

impl Kind for HostLabel {
    type Value = String;

    fn expected() -> String {
        "one label of a host, such as `www`".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        let text = text_of::<Self>(node)?.to_ascii_lowercase();
        let is_label = (1..=63).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if is_label { Ok(text) } else { Err(Wrong::expected::<Self>(node).into()) }
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,63}$" })
    }
}

/// A path below which a segment names the tenant. As [`Prefix`], and not empty.
pub(crate) struct TenantPath;

impl Kind for TenantPath {
    type Value = String;

    fn expected() -> String {
        "a path such as `/t` that begins with `/` and does not end with it".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        match Prefix::read(node) {
            Ok(path) if path.is_empty() => Err(Wrong::expected::<Self>(node).into()),
            Ok(path) => Ok(path),
            Err(Wrongs(wrongs)) => {
                let help = wrongs.into_iter().find_map(|wrong| wrong.help);
                let wrong = Wrong::expected::<Self>(node);
                Err(Wrong { help, ..wrong }.into())
            }
        }
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^(/[A-Za-z0-9._~-]+)+$" })
    }
}

/// A network in CIDR notation, or one address.
pub(crate) struct Cidr;

impl Kind for Cidr {
    type Value = IpNet;

    fn expected() -> String {
        "a network such as `10.0.0.0/8` or `fd00::/8`, or one address".to_owned()
    }

    fn read(node: &Node) -> Result<IpNet, Wrongs> {
        let text = text_of::<Self>(node)?;
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let Some(network) = text.parse::<IpNet>().ok().or_else(address) else {
            return Err(Wrong::expected::<Self>(node).into());
        };
        if network.prefix_len() == 0 {
            let wrong = Wrong::new(format!("must not hold `{network}`, which trusts everybody"));
            return Err(wrong.help("name the addresses of your proxies").into());
        }
        if network.trunc() != network {
            let wrong = Wrong::new(format!("holds `{network}`, which is an address within a network"));
            let help =
                format!("write `{}` for the network, `{}` for the address", network.trunc(), network.addr());
            return Err(wrong.help(help).into());
        }
        Ok(network)
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$" })
    }
}
