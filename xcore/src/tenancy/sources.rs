//! Where a request names its tenant.

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Uri};

use super::head::value_of;
use super::host::Hosts;
use super::{TenancyError, TenantId};

/// As messages name them.
pub(super) const HEADER: &str = "header";
pub(super) const SUBDOMAIN: &str = "subdomain";

/// The plain sources: the header and the subdomain, which are read without waiting.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    /// `tenancy.header`.
    pub(crate) header: Option<HeaderName>,
    /// The hosts whose first label names a tenant, if any do.
    pub(crate) subdomain: Option<Hosts>,
}

impl Sources {
    /// The tenant that the request names, if any. Allocates nothing.
    ///
    /// # Errors
    /// When a source cannot be read as a tenant id, or two sources name different tenants.
    pub(super) fn tenant_of(&self, headers: &HeaderMap, uri: &Uri) -> Result<Option<TenantId>, TenancyError> {
        let by_header = match &self.header {
            Some(name) => by_header(headers, name)?,
            None => None,
        };
        let Some(hosts) = &self.subdomain else { return Ok(by_header) };
        let by_host = match host_of(headers, uri)? {
            Some(host) => by_host(host, hosts)?,
            None => None,
        };
        match (by_header, by_host) {
            (Some(header), Some(host)) if header != host => {
                Err(TenancyError::Disagree { first: HEADER, second: SUBDOMAIN })
            }
            (header, host) => Ok(header.or(host)),
        }
    }

    /// The bytes that name the tenant, when that can be told without parsing them: they are a tenant's name only if the directory
    /// remembers them as one. Where it is unclear, [`Sources::tenant_of`] decides.
    #[inline]
    pub(super) fn quick_name<'a>(&self, headers: &'a HeaderMap, uri: &'a Uri) -> QuickName<'a> {
        // No `Result` with an error in it: making room for one costs more than reading the headers.
        let by_header = match &self.header {
            Some(header) => single(headers, header),
            None => Single::Absent,
        };
        let Some(hosts) = &self.subdomain else {
            return match by_header {
                Single::Value(name) => QuickName::Name(name),
                Single::Absent => QuickName::Nobody,
                Single::Repeated => QuickName::Unclear,
            };
        };
        let host = match uri.authority() {
            Some(authority) => Single::Value(host_in(authority)),
            None => single(headers, &HOST),
        };
        let label = match host {
            Single::Value(host) => hosts.label(host),
            Single::Absent => Ok(None),
            Single::Repeated => return QuickName::Unclear,
        };
        match (by_header, label) {
            (Single::Value(name), Ok(Some(label))) if !name.eq_ignore_ascii_case(label) => QuickName::Unclear,
            (Single::Value(name), Ok(_)) | (Single::Absent, Ok(Some(name))) => QuickName::Name(name),
            (Single::Absent, Ok(None)) => QuickName::Nobody,
            (Single::Repeated, _) | (_, Err(_)) => QuickName::Unclear,
        }
    }
}

/// The tenant that the header names.
pub(super) fn by_header(headers: &HeaderMap, name: &HeaderName) -> Result<Option<TenantId>, TenancyError> {
    let Some(value) = only(headers, name)? else { return Ok(None) };
    parse(value, HEADER).map(Some)
}

/// The tenant that a host names.
pub(super) fn by_host(host: &[u8], hosts: &Hosts) -> Result<Option<TenantId>, TenancyError> {
    hosts.label(host)?.map(|label| parse(label, SUBDOMAIN)).transpose()
}

/// A name that a source has given.
pub(super) fn parse(name: &[u8], source_name: &'static str) -> Result<TenantId, TenancyError> {
    TenantId::parse_bytes(name).map_err(|problem| TenancyError::Malformed { source_name, problem })
}

/// What a look at the sources tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuickName<'a> {
    Name(&'a [u8]),
    /// No source names a tenant.
    Nobody,
    Unclear,
}

/// RFC 9112, section 3.2.2: the target's own authority counts, and `Host` only without one.
pub(super) fn host_of<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Result<Option<&'a [u8]>, TenancyError> {
    match uri.authority() {
        Some(authority) => Ok(Some(host_in(authority))),
        None => only(headers, &HOST),
    }
}

fn host_in(authority: &Authority) -> &[u8] {
    let text = authority.as_str();
    text.rsplit_once('@').map_or(text, |(_, host)| host).as_bytes()
}

/// The value of a header that may be there once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, TenancyError> {
    match single(headers, name) {
        Single::Value(value) => Ok(Some(value)),
        Single::Absent => Ok(None),
        Single::Repeated => Err(TenancyError::Repeated { name: name.to_string() }),
    }
}

/// What a header that may be there once says.
enum Single<'a> {
    Absent,
    Value(&'a [u8]),
    Repeated,
}

#[inline]
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Single<'a> {
    // As many values as names: no header is there twice.
    if headers.len() != headers.keys_len() && headers.get_all(name).iter().nth(1).is_some() {
        return Single::Repeated;
    }
    value_of(headers, name).map_or(Single::Absent, |value| Single::Value(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        let hosts = Hosts::new([], ["www"]);
        Sources { header: Some(HeaderName::from_static("x-tenant-id")), subdomain: Some(hosts) }
    }

    fn tenant_of(pairs: &[(&str, &[u8])], uri: &str) -> Result<Option<String>, TenancyError> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                axum::http::HeaderValue::from_bytes(value).unwrap(),
            );
        }
        let found = sources().tenant_of(&headers, &uri.parse().unwrap())?;
        Ok(found.map(|id| id.to_string()))
    }

    #[test]
    fn the_header_and_the_host_both_name_a_tenant() {
        assert_eq!(tenant_of(&[("x-tenant-id", b"Acme")], "/").unwrap().as_deref(), Some("acme"));
        assert_eq!(tenant_of(&[("host", b"acme.shop.localhost")], "/").unwrap().as_deref(), Some("acme"));
        assert_eq!(tenant_of(&[], "http://acme.shop.localhost:1/x").unwrap().as_deref(), Some("acme"));
        assert_eq!(tenant_of(&[("host", b"127.0.0.1:8080")], "/").unwrap(), None);
    }

    #[test]
    fn sources_that_disagree_are_refused() {
        let both: &[(&str, &[u8])] = &[("x-tenant-id", b"acme"), ("host", b"globex.shop.localhost")];
        assert!(matches!(tenant_of(both, "/"), Err(TenancyError::Disagree { .. })));
        let same: &[(&str, &[u8])] = &[("x-tenant-id", b"ACME"), ("host", b"acme.shop.localhost")];
        assert_eq!(tenant_of(same, "/").unwrap().as_deref(), Some("acme"));
    }

    #[test]
    fn a_malformed_source_is_refused_even_beside_a_good_one() {
        let bad_host: &[(&str, &[u8])] = &[("x-tenant-id", b"acme"), ("host", b"pg_x.shop.localhost")];
        assert!(matches!(tenant_of(bad_host, "/"), Err(TenancyError::Malformed { .. })));
        for bad in [&b"../x"[..], b"", b"a:b", b"*", b"\xff\xfe", b"pg_catalog"] {
            assert!(tenant_of(&[("x-tenant-id", bad)], "/").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_quick_name_is_what_parsing_gives_or_nothing() {
        let sources = sources();
        let hosts = [
            None,
            Some("acme.shop.localhost"),
            Some("globex.shop.localhost:80"),
            Some("127.0.0.1"),
            Some("www.shop.localhost"),
            Some("a..b"),
        ];
        let names = [None, Some("acme"), Some("ACME"), Some("../x"), Some("globex")];
        for (host, name) in hosts.iter().flat_map(|host| names.iter().map(move |name| (host, name))) {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(HOST, host.parse().unwrap());
            }
            if let Some(name) = name {
                headers.insert("x-tenant-id", name.parse().unwrap());
            }
            let uri = Uri::from_static("/");
            match (sources.quick_name(&headers, &uri), sources.tenant_of(&headers, &uri)) {
                (QuickName::Name(quick), Ok(found)) => assert_eq!(TenantId::parse_bytes(quick).ok(), found),
                (QuickName::Name(quick), Err(_)) => assert!(TenantId::parse_bytes(quick).is_err()),
                (QuickName::Nobody, found) => assert_eq!(found.unwrap(), None, "{host:?} {name:?}"),
                (QuickName::Unclear, found) => assert!(found.is_err(), "{host:?} {name:?}"),
            }
        }
    }

    #[test]
    fn a_header_that_is_sent_twice_is_refused() {
        let twice: &[(&str, &[u8])] = &[("x-tenant-id", b"acme"), ("x-tenant-id", b"acme")];
        assert!(matches!(tenant_of(twice, "/"), Err(TenancyError::Repeated { .. })));
    }
}
