//! Reads a tenant from the host of a request.

use std::net::Ipv4Addr;
use std::str::FromStr;

use super::{TenancyError, TenantId};

/// The tenant that `host` names, or `None` when it names none.
///
/// `host` is a `Host` header or an authority: a port, a trailing dot and upper case are allowed, and an address names
/// no tenant. With a base domain, exactly one label below it is the tenant; other hosts name none. Without one, it
/// is the first of at least three labels.
pub(super) fn tenant_of_host(host: &[u8], base: Option<&str>) -> Result<Option<TenantId>, TenancyError> {
    let Some(label) = label_of_host(host, base)? else { return Ok(None) };
    TenantId::parse_bytes(label)
        .map(Some)
        .map_err(|problem| TenancyError::Malformed { source_name: "subdomain", problem })
}

/// The label that [`tenant_of_host`] parses.
pub(super) fn label_of_host<'a>(
    host: &'a [u8],
    base: Option<&str>,
) -> Result<Option<&'a [u8]>, TenancyError> {
    let host = std::str::from_utf8(host).map_err(|_| TenancyError::MalformedHost)?;
    let Some(name) = host_name(host)? else { return Ok(None) };
    let label = match base {
        Some(base) => match strip_base(name, base) {
            Some("") | None => return Ok(None),
            Some(label) if label.contains('.') => return Err(TenancyError::MalformedHost),
            Some(label) => label,
        },
        None => {
            let mut labels = name.split('.');
            match (labels.next(), labels.nth(1)) {
                (Some(first), Some(_third)) => first,
                _ => return Ok(None),
            }
        }
    };
    Ok(Some(label.as_bytes()))
}

/// The name without port and trailing dot; `None` for an address or nothing.
fn host_name(host: &str) -> Result<Option<&str>, TenancyError> {
    if host.is_empty() || host.starts_with('[') {
        return Ok(None);
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
    fn check(host: &str, base: Option<&str>, expect: Result<Option<&str>, ()>) {
        let got = tenant_of_host(host.as_bytes(), base);
        match (&got, expect) {
            (Ok(got), Ok(expect)) => assert_eq!(got.as_ref().map(TenantId::as_str), expect, "{host}"),
            (Err(_), Err(())) => {}
            _ => panic!("{host} with base {base:?} gave {got:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn the_first_of_three_labels_is_the_tenant_when_no_base_is_known() {
        check("acme.shop.localhost", None, Ok(Some("acme")));
        check("ACME.Shop.Localhost.:8080", None, Ok(Some("acme")));
        check("shop.localhost", None, Ok(None));
        check("localhost:8080", None, Ok(None));
        check("", None, Ok(None));
    }

    #[test]
    fn addresses_name_no_tenant() {
        for host in ["127.0.0.1", "10.1.2.3:80", "[::1]", "[::1]:8080", "[fe80::1%25eth0]:1"] {
            check(host, None, Ok(None));
            check(host, Some("shop.localhost"), Ok(None));
        }
    }

    #[test]
    fn under_a_base_domain_exactly_one_label_counts() {
        let base = Some("shop.localhost");
        check("acme.shop.localhost:80", base, Ok(Some("acme")));
        check("acme.SHOP.localhost", base, Ok(Some("acme")));
        check("shop.localhost", base, Ok(None));
        check("a.b.shop.localhost", base, Err(()));
        check("acmeshop.localhost", base, Ok(None));
        check("acme.other.localhost", base, Ok(None));
        check("acme.localhost", Some("localhost"), Ok(Some("acme")));
    }

    #[test]
    fn hosts_that_cannot_be_read_are_refused() {
        for host in [
            "a..localhost",
            ".a.b.c",
            "a.b.c:8x",
            "a:b:c",
            "a_b!.shop.localhost",
            "pg_catalog.shop.localhost",
        ] {
            check(host, None, Err(()));
        }
        assert!(tenant_of_host(b"\xff.shop.localhost", None).is_err());
    }
}
