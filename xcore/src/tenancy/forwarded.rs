//! The header `Forwarded` (RFC 7239), as far as hosts need it.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};

use super::TenancyError;

/// What one proxy says of the request that it has received.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// `for`: who has sent it, where that is an address.
    pub(super) sender: Option<IpAddr>,
    /// `host`: whom it was sent to.
    pub(super) host: Option<String>,
}

/// The elements of all `Forwarded` headers. The last was added by the proxy that is nearest.
pub(super) fn elements(headers: &HeaderMap) -> Result<Vec<Element>, TenancyError> {
    let wrong = || TenancyError::MalformedForwarded { header: "Forwarded" };
    let mut all = Vec::new();
    for value in headers.get_all(FORWARDED) {
        let text = value.to_str().map_err(|_| wrong())?;
        read(text, &mut all).ok_or_else(wrong)?;
    }
    Ok(all)
}

/// The last entry of a header that is a list: what the nearest proxy has added or set.
pub(super) fn last_of_list(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, TenancyError> {
    let Some(value) = headers.get_all(name).iter().next_back() else { return Ok(None) };
    let text = value.to_str().map_err(|_| TenancyError::MalformedHost)?;
    let last = text.rsplit(',').next().unwrap_or_default().trim();
    if last.is_empty() { Err(TenancyError::MalformedHost) } else { Ok(Some(last.to_owned())) }
}

/// Elements between commas, pairs between semicolons; `None` when it is something else.
fn read(text: &str, all: &mut Vec<Element>) -> Option<()> {
    let mut rest = text;
    loop {
        let mut element = Element::default();
        let mut names: Vec<String> = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            if let Some(next) = rest.strip_prefix(';') {
                rest = next;
                continue;
            }
            if rest.is_empty() || rest.starts_with(',') {
                break;
            }
            let (name, after) = rest.split_once('=')?;
            let name = name.to_ascii_lowercase();
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            // A name stands once in an element; of two hosts nobody could tell which is meant.
            if name.is_empty() || !name.bytes().all(is_token) || names.contains(&name) {
                return None;
            }
            let (value, after) = value(after)?;
            rest = after.trim_start_matches([' ', '\t']);
            match name.as_str() {
                "for" => element.sender = address(&value),
                "host" => element.host = Some(value),
                _ => {}
            }
            names.push(name);
            if !(rest.is_empty() || rest.starts_with([';', ','])) {
                return None;
            }
        }
        if !names.is_empty() {
            all.push(element);
        }
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Some(()),
        }
    }
}

/// A value and what follows it. Without quotes more is taken than the grammar has: many proxies write `host=a.b:80`.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (!value.is_empty() && !value.contains(['"', '='])).then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]` or `[2001:db8::1]:80`; `None` for a name that was made up.
fn address(node: &str) -> Option<IpAddr> {
    let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
    bare.parse().ok().or_else(|| node.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Option<Vec<(Option<String>, Option<String>)>> {
        let headers = values.iter().map(|value| (FORWARDED, HeaderValue::from_static(value)));
        let mut map = HeaderMap::new();
        headers.for_each(|(name, value)| {
            map.append(name, value);
        });
        let all = elements(&map).ok()?;
        Some(all.into_iter().map(|one| (one.sender.map(|ip| ip.to_string()), one.host)).collect())
    }

    #[test]
    fn elements_are_read_as_the_rfc_writes_them() {
        let one = |sender: &str, host: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            (some(sender), some(host))
        };
        assert_eq!(of(&["for=\"_gazonk\""]), Some(vec![one("", "")]));
        assert_eq!(of(&["For=\"[2001:db8:cafe::17]:4711\""]), Some(vec![one("2001:db8:cafe::17", "")]));
        assert_eq!(of(&["for=192.0.2.60;proto=http;by=203.0.113.43"]), Some(vec![one("192.0.2.60", "")]));
        let two = Some(vec![one("192.0.2.43", ""), one("198.51.100.17", "a.b:80")]);
        assert_eq!(of(&["for=192.0.2.43, for=198.51.100.17:1 ; HOST=a.b:80"]), two);
        assert_eq!(of(&["for=192.0.2.43", "for=198.51.100.17;host=\"a.b:80\""]), two);
        assert_eq!(of(&["host=\"a\\\"b,c\" , ,"]), Some(vec![one("", "a\"b,c")]));
        assert_eq!(of(&[""]), Some(vec![]));
    }

    #[test]
    fn what_cannot_be_read_is_no_list() {
        for bad in [
            "host",
            "host=",
            "=a",
            "host=\"a",
            "host=a host=b",
            "host=a;host=b",
            "for=1.1.1.1;for=2.2.2.2",
            "for=_a;FOR=10.0.0.1",
            "host=\", for=192.0.2.9;host=\"a\"",
            "a b=c",
            "host=\"a\"b",
        ] {
            assert_eq!(of(&[bad]), None, "{bad}");
        }
    }
}
