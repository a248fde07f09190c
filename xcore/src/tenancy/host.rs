//! Reads a tenant from the host of a request.

use std::net::Ipv4Addr;
use std::str::FromStr;

use super::TenancyError;

/// Which hosts name a tenant by their first label.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    /// The longest first, so that of two bases the nearer one is meant.
    bases: Box<[Box<str>]>,
    reserved: Box<[Box<str>]>,
}

impl Hosts {
    /// `bases` and `reserved` in lower case.
    pub(crate) fn new<'a>(
        bases: impl IntoIterator<Item = &'a str>,
        reserved: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut bases: Vec<Box<str>> = bases.into_iter().map(Into::into).collect();
        bases.sort_by_key(|base| std::cmp::Reverse(base.len()));
        Self { bases: bases.into(), reserved: reserved.into_iter().map(Into::into).collect() }
    }

    /// The label of `host` that names a tenant, or `None` when none does.
    ///
    /// `host` is a `Host` header or an authority: a port, a trailing dot and upper case are allowed, and an address names
    /// no tenant. With base domains, exactly one label below one of them is the tenant; other hosts name none. Without one,
    /// it is the first of at least three labels. A reserved label names no tenant.
    ///
    /// Labels are compared as they are sent: one that is punycode is a name like any other and is never decoded, so no two
    /// spellings are one tenant.
    #[inline]
    pub(super) fn label<'a>(&self, host: &'a [u8]) -> Result<Option<&'a [u8]>, TenancyError> {
        let Some(name) = name_of(host)? else { return Ok(None) };
        let Some(label) = self.first_label(name)? else { return Ok(None) };
        let is_reserved = self.reserved.iter().any(|reserved| label.eq_ignore_ascii_case(reserved));
        Ok((!is_reserved).then_some(label.as_bytes()))
    }

    fn first_label<'a>(&self, name: &'a str) -> Result<Option<&'a str>, TenancyError> {
        if self.bases.is_empty() {
            let mut labels = name.split('.');
            return Ok(match (labels.next(), labels.nth(1)) {
                (Some(first), Some(_third)) => Some(first),
                _ => None,
            });
        }
        match self.bases.iter().find_map(|base| strip_base(name, base)) {
            Some("") | None => Ok(None),
            Some(label) if label.contains('.') => Err(TenancyError::MalformedHost),
            Some(label) => Ok(Some(label)),
        }
    }

    /// Whether a name is a base domain or below one.
    pub(crate) fn hold(&self, name: &str) -> bool {
        self.bases.iter().any(|base| strip_base(name, base).is_some())
    }
}

/// The name in `host` without port and trailing dot; `None` for an address or nothing.
pub(super) fn name_of(host: &[u8]) -> Result<Option<&str>, TenancyError> {
    let host = std::str::from_utf8(host).map_err(|_| TenancyError::MalformedHost)?;
    if host.is_empty() {
        return Ok(None);
    }
    if let Some(literal) = host.strip_prefix('[') {
        return if is_ipv6(literal) { Ok(None) } else { Err(TenancyError::MalformedHost) };
    }
    let name = match host.split_once(':') {
        None => host,
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) => return Err(TenancyError::MalformedHost),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    // The last label of a name is never all digits (RFC 1123, section 2.1), so most names are told by their last byte.
    if name.ends_with(|c: char| c.is_ascii_digit()) && Ipv4Addr::from_str(name).is_ok() {
        return Ok(None);
    }
    let has_an_empty_label = || name.as_bytes().windows(2).any(|pair| pair == b"..");
    if name.is_empty() || name.starts_with('.') || name.ends_with('.') || has_an_empty_label() {
        return Err(TenancyError::MalformedHost);
    }
    Ok(Some(name))
}

/// Whether an IPv6 address, its bracket and perhaps a port are all there is. Its digits name nobody, whatever they are.
fn is_ipv6(literal: &str) -> bool {
    literal.split_once(']').is_some_and(|(address, rest)| {
        let has_port = || rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
        address.contains(':') && (rest.is_empty() || has_port())
    })
}

/// What stands before `.base`, the empty text for the base itself, `None` for another host.
fn strip_base<'a>(name: &'a str, base: &str) -> Option<&'a str> {
    let split = name.len().checked_sub(base.len())?;
    let (rest, tail) = name.split_at_checked(split)?;
    if !tail.eq_ignore_ascii_case(base) {
        return None;
    }
    if rest.is_empty() { Some(rest) } else { rest.strip_suffix('.') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, bases: &[&str], expect: Result<Option<&str>, ()>) {
        let hosts = Hosts::new(bases.iter().copied(), ["www"]);
        let got = hosts.label(host.as_bytes());
        match (&got, expect) {
            (Ok(got), Ok(expect)) => {
                let got = got.map(|label| String::from_utf8(label.to_ascii_lowercase()).unwrap());
                assert_eq!(got.as_deref(), expect, "{host}");
            }
            (Err(_), Err(())) => {}
            _ => panic!("{host} with bases {bases:?} gave {got:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn the_first_of_three_labels_is_the_tenant_when_no_base_is_known() {
        check("acme.shop.localhost", &[], Ok(Some("acme")));
        check("ACME.Shop.Localhost.:8080", &[], Ok(Some("acme")));
        check("shop.localhost", &[], Ok(None));
        check("localhost:8080", &[], Ok(None));
        check("", &[], Ok(None));
        check("www.shop.localhost", &[], Ok(None));
    }

    #[test]
    fn addresses_name_no_tenant() {
        for host in ["127.0.0.1", "10.1.2.3:80", "[::1]", "[::1]:8080", "[fe80::1%25eth0]:1"] {
            check(host, &[], Ok(None));
            check(host, &["shop.localhost"], Ok(None));
        }
    }

    #[test]
    fn under_a_base_domain_exactly_one_label_counts() {
        let base = &["shop.localhost"][..];
        check("acme.shop.localhost:80", base, Ok(Some("acme")));
        check("acme.SHOP.localhost", base, Ok(Some("acme")));
        check("shop.localhost", base, Ok(None));
        check("a.b.shop.localhost", base, Err(()));
        check("acmeshop.localhost", base, Ok(None));
        check("acme.other.localhost", base, Ok(None));
        check("acme.localhost", &["localhost"], Ok(Some("acme")));
    }

    #[test]
    fn of_two_bases_the_nearer_one_counts() {
        for bases in [["shop.test", "eu.shop.test"], ["eu.shop.test", "shop.test"]] {
            check("acme.shop.test", &bases, Ok(Some("acme")));
            check("acme.eu.shop.test", &bases, Ok(Some("acme")));
            check("eu.shop.test", &bases, Ok(None));
            check("a.us.shop.test", &bases, Err(()));
        }
    }

    #[test]
    fn a_reserved_label_names_nobody() {
        let base = &["shop.localhost"][..];
        check("www.shop.localhost", base, Ok(None));
        check("WWW.shop.localhost.:1", base, Ok(None));
        check("www2.shop.localhost", base, Ok(Some("www2")));
        check("www.acme.shop.localhost", base, Err(()));
    }

    #[test]
    fn hosts_that_cannot_be_read_are_refused() {
        for host in [
            "a..localhost",
            ".a.b.c",
            "a.b.c:8x",
            "a:b:c",
            "[::1",
            "[::1]8",
            "[::1]:x",
            "[::1].a.b.c",
            "[a.b.c]",
        ] {
            check(host, &[], Err(()));
        }
        assert!(Hosts::default().label(b"\xff.shop.localhost").is_err());
    }
}
