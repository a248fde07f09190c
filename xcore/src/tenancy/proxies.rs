//! Whose word is taken for the header and the host of a request.

use std::borrow::Cow;
use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::header::FORWARDED;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::TenancyError;
use super::forwarded::{elements, last_of_list};
use super::sources::host_of;

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// `tenancy.trusted_proxies`.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustedProxies(Box<[IpNet]>);

impl TrustedProxies {
    pub(crate) fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Whether there are any. Without them forwarded hosts are not read, and the header is read from anybody.
    pub(crate) fn are_known(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether the request may name its tenant by the header.
    pub(super) fn accept(&self, request: &Parts) -> bool {
        !self.are_known() || self.sent(request)
    }

    /// Whether a trusted proxy has sent this. A request whose peer is not known comes from nobody that is trusted.
    fn sent(&self, request: &Parts) -> bool {
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
        peer.is_some_and(|ConnectInfo(address)| self.trust(address.ip()))
    }

    fn trust(&self, address: std::net::IpAddr) -> bool {
        // A listener for both families shows IPv4 peers as IPv6.
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The host that the outermost trusted proxy was asked for (RFC 7239, section 5.3): the entries are believed from the
    /// right, each as far as its sender is trusted.
    fn forwarded(&self, headers: &HeaderMap) -> Result<Option<String>, TenancyError> {
        let mut found = None;
        for element in elements(headers)?.into_iter().rev() {
            found = element.host.or(found);
            if !element.sender.is_some_and(|address| self.trust(address)) {
                break;
            }
        }
        Ok(found)
    }
}

/// The host of a request, as a trusted proxy has received it.
///
/// What somebody else says of another host is refused, not ignored: it may come from a proxy that was left out of the list, and
/// then the `Host` that is left names the wrong tenant or none.
pub(super) fn host<'a>(
    request: &'a Parts,
    proxies: &TrustedProxies,
) -> Result<Option<Cow<'a, [u8]>>, TenancyError> {
    let headers = &request.headers;
    let own = || Ok(host_of(headers, &request.uri)?.map(Cow::Borrowed));
    if !proxies.are_known() {
        return own();
    }
    if !proxies.sent(request) {
        let names_a_host =
            |elements: &[super::forwarded::Element]| elements.iter().any(|one| one.host.is_some());
        for (header, is_said) in [
            (X_FORWARDED_HOST, headers.contains_key(X_FORWARDED_HOST)),
            (FORWARDED, elements(headers).map_or(true, |elements| names_a_host(&elements))),
        ] {
            if is_said {
                return Err(TenancyError::UntrustedPeer { header: header.as_str().into() });
            }
        }
        return own();
    }
    let forwarded = proxies.forwarded(headers)?;
    let x_forwarded = last_of_list(headers, &X_FORWARDED_HOST)?;
    match (forwarded, x_forwarded) {
        // A proxy sets one of them and passes on the other, which its client has sent.
        (Some(one), Some(other)) if !one.eq_ignore_ascii_case(&other) => {
            Err(TenancyError::Disagree { first: "header Forwarded", second: "header X-Forwarded-Host" })
        }
        (Some(host), _) | (None, Some(host)) => Ok(Some(Cow::Owned(host.into_bytes()))),
        (None, None) => own(),
    }
}
