//! Several sources, asked one after the other. All of them have to agree.

use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::credentials::{Credentials, KEY_PREFIX};
use super::directory::Outlook;
use super::host::{Hosts, name_of};
use super::path::{PATH, PathTenant};
use super::proxies::{TrustedProxies, host};
use super::sources::{HEADER, SUBDOMAIN, by_header, by_host, only, parse};
use super::{Named, TenancyError, TenantSource};

/// Bytes of the longest name of a host.
const LONGEST_DOMAIN: usize = 253;

/// The sources of an app, in the order of `tenancy.sources`.
pub(crate) struct Chain {
    pub(crate) links: Box<[Link]>,
    pub(crate) proxies: TrustedProxies,
    /// `tenancy.require_verified`.
    pub(crate) require_verified: bool,
    /// What a client without a proof is told to send.
    pub(crate) challenge: HeaderValue,
    /// The same, in words.
    pub(crate) hint: Box<str>,
}

/// One source.
pub(crate) enum Link {
    Header(HeaderName),
    Subdomain(Hosts),
    Domain(Arc<Credentials>),
    Path,
    #[cfg(feature = "jwt")]
    Token {
        tokens: Box<super::jwt::Tokens>,
        /// API keys come in the same header and are left to their source.
        beside_keys: bool,
    },
    ApiKey {
        header: HeaderName,
        credentials: Arc<Credentials>,
        /// Tokens come in the same header and are left to their source.
        beside_tokens: bool,
    },
    Custom(Arc<dyn TenantSource>),
}

impl Chain {
    /// The tenant that the request names, if any, as far as the directory can tell now.
    ///
    /// Every source is asked. The first that finds something wrong decides the answer; after that comes whether they agree, and
    /// last, with [`Chain::prove`], whether one of them has a proof.
    pub(super) async fn named(
        &self,
        request: &Parts,
        outlook: Outlook,
    ) -> Result<Option<Named>, TenancyError> {
        let mut all: Option<(&'static str, Named)> = None;
        let mut disagree = None;
        // A key and a domain of two tenants that had one name after the other.
        let mut outlived = false;
        for link in &self.links {
            let Some(named) = link.ask(request, &self.proxies, outlook).await? else { continue };
            let Some((first, agreed)) = &mut all else {
                all = Some((link.name(), named));
                continue;
            };
            if agreed.tenant != named.tenant {
                disagree.get_or_insert(TenancyError::Disagree { first, second: link.name() });
                continue;
            }
            if agreed.life.is_some() && named.life.is_some() && agreed.life != named.life {
                outlived = true;
            }
            agreed.is_verified |= named.is_verified;
            agreed.life = agreed.life.or(named.life);
        }
        if let Some(disagree) = disagree {
            return Err(disagree);
        }
        if outlived {
            return Err(TenancyError::Unknown);
        }
        Ok(all.map(|(_, named)| named))
    }

    /// That the tenant of a request is proved, where it has to be. The default tenant never is.
    pub(super) fn prove(&self, named: Option<&Named>) -> Result<(), TenancyError> {
        if self.require_verified && !named.is_some_and(|named| named.is_verified) {
            return Err(TenancyError::Unverified {
                hint: self.hint.clone(),
                challenge: self.challenge.clone(),
            });
        }
        Ok(())
    }
}

impl Link {
    /// As messages name it.
    fn name(&self) -> &'static str {
        match self {
            Self::Header(_) => HEADER,
            Self::Subdomain(_) => SUBDOMAIN,
            Self::Domain(_) => "domain",
            Self::Path => PATH,
            #[cfg(feature = "jwt")]
            Self::Token { .. } => super::jwt::TOKEN,
            Self::ApiKey { .. } => super::credentials::API_KEY,
            Self::Custom(_) => "custom source",
        }
    }

    async fn ask(
        &self,
        request: &Parts,
        proxies: &TrustedProxies,
        outlook: Outlook,
    ) -> Result<Option<Named>, TenancyError> {
        let headers = &request.headers;
        match self {
            Self::Header(name) => {
                if headers.contains_key(name) && !proxies.accept(request) {
                    return Err(TenancyError::UntrustedPeer { header: name.as_str().into() });
                }
                Ok(by_header(headers, name)?.map(Named::unverified))
            }
            Self::Subdomain(hosts) => {
                let Some(host) = host(request, proxies)? else { return Ok(None) };
                Ok(by_host(&host, hosts)?.map(Named::unverified))
            }
            Self::Domain(credentials) => {
                let Some(host) = host(request, proxies)? else { return Ok(None) };
                let Some(name) = name_of(&host)? else { return Ok(None) };
                // A longer one is no domain (RFC 1035, section 2.3.4), and would fill the memory of look-ups.
                if !name.is_ascii() || name.len() > LONGEST_DOMAIN {
                    return Err(TenancyError::MalformedHost);
                }
                let owner = credentials.of_domain(&name.to_ascii_lowercase(), outlook).await?;
                Ok(owner.map(|owner| Named {
                    tenant: owner.tenant,
                    is_verified: false,
                    life: Some(owner.life),
                }))
            }
            Self::Path => {
                let Some(PathTenant(name)) = request.extensions.get() else { return Ok(None) };
                Ok(Some(Named::unverified(parse(name.as_bytes(), PATH)?)))
            }
            #[cfg(feature = "jwt")]
            Self::Token { tokens, beside_keys } => {
                let Some(token) = bearer(headers)? else { return Ok(None) };
                if *beside_keys && token.starts_with(KEY_PREFIX) {
                    return Ok(None);
                }
                tokens.tenant_of(token).await.map(|tenant| Some(Named::verified(tenant)))
            }
            Self::ApiKey { header, credentials, beside_tokens } => {
                let key = if *header == AUTHORIZATION { bearer(headers)? } else { text(headers, header)? };
                let Some(key) = key else { return Ok(None) };
                if *beside_tokens && !key.starts_with(KEY_PREFIX) {
                    return Ok(None);
                }
                let owner = credentials.of_key(key, outlook).await?;
                Ok(Some(Named { tenant: owner.tenant, is_verified: true, life: Some(owner.life) }))
            }
            Self::Custom(source) => source.tenant(request).await,
        }
    }
}

/// The one value of a header as text; what is no visible ASCII reads as empty, which is no credential.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, TenancyError> {
    let value = only(headers, name)?;
    Ok(value.map(|value| std::str::from_utf8(value).unwrap_or_default().trim()))
}

/// What `Authorization: Bearer` carries (RFC 6750, section 2.1). Another scheme is not ours.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, TenancyError> {
    let Some(value) = only(headers, &AUTHORIZATION)? else { return Ok(None) };
    // Bytes, so that a token that is no text is a bad token and not another scheme.
    let end = value.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(value.len());
    let (scheme, token) = value.split_at(end);
    let is_bearer = scheme.eq_ignore_ascii_case(b"Bearer");
    Ok(is_bearer.then(|| std::str::from_utf8(token).unwrap_or_default().trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_told_from_other_schemes() {
        let read = |value: &[u8]| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap())]);
            bearer(&headers).unwrap().map(str::to_owned)
        };
        for (value, expect) in [
            ("Bearer abc", Some("abc")),
            ("bEARER   abc ", Some("abc")),
            ("Bearer", Some("")),
            ("Bearer\tabc", Some("abc")),
            ("Bearerabc", None),
            ("Basic Og==", None),
            ("", None),
        ] {
            assert_eq!(read(value.as_bytes()).as_deref(), expect, "{value:?}");
        }
        assert_eq!(read(b"Bearer a\xff.b.c").as_deref(), Some(""), "a bad token, and not none");
    }
}
