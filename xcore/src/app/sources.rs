//! From `tenancy` of `xcore.yaml` to who is asked which tenant a request belongs to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::header::{AUTHORIZATION, FORWARDED};
use axum::http::{HeaderName, HeaderValue};
use xcore_build::config::{Config, Source};

use super::boot::BootError;
use super::directory_table::DirectoryTable;
use crate::db::Servers;
use crate::http::full_path;
use crate::plugin::AnyMounted;
use crate::tenancy::{Asks, Chain, Credentials, Hosts, Link, Sources, TenantSource, TrustedProxies};

/// Who is asked.
pub(super) fn asks(
    config: &Config,
    database: Option<&Servers>,
    own: &[Arc<dyn TenantSource>],
) -> Result<Asks, BootError> {
    let tenancy = &config.tenancy;
    let sources = with_own(config, own.len())?;
    if !tenancy.enabled {
        return Ok(Asks::Nobody);
    }
    let is_plain = |source: &Source| matches!(source, Source::Header | Source::Subdomain);
    // The order of the two plays no part: both are asked, and both have to agree.
    if sources.iter().all(is_plain) && tenancy.trusted_proxies.is_empty() && !tenancy.require_verified {
        let header = sources.contains(&Source::Header).then(|| header(config)).transpose()?.flatten();
        let subdomain = sources.contains(&Source::Subdomain).then(|| hosts(config));
        return Ok(Asks::Plain(Sources { header, subdomain }));
    }
    let (challenge, hint) = challenge(config)?;
    let credentials = database.map(|database| {
        let store = Arc::new(DirectoryTable::new(database.directory()));
        Arc::new(Credentials::new(store, tenancy.directory_ttl, tenancy.stale_for, challenge.clone()))
    });
    let key_header = key_header(config)?;
    let keys_are_bearers = sources.contains(&Source::ApiKey) && key_header == Some(AUTHORIZATION);
    let mut links = Vec::with_capacity(sources.len());
    for source in &sources {
        match source {
            Source::Header => links.extend(header(config)?.map(Link::Header)),
            Source::Subdomain => links.push(Link::Subdomain(hosts(config))),
            Source::Path => links.push(Link::Path),
            // The configuration was refused when there is no database.
            Source::Domain => links.extend(credentials.clone().map(Link::Domain)),
            Source::ApiKey => {
                let beside_tokens = keys_are_bearers && sources.contains(&Source::Jwt);
                let found = key_header.clone().zip(credentials.clone());
                links.extend(found.map(|(header, credentials)| Link::ApiKey {
                    header,
                    credentials,
                    beside_tokens,
                }));
            }
            Source::Jwt => links.push(token(config, keys_are_bearers, &challenge)?),
            Source::Custom => links.extend(own.iter().cloned().map(Link::Custom)),
            other => return Err(BootError::NotBuilt { key: "tenancy.sources", feature: other.as_str() }),
        }
    }
    Ok(Asks::Chain(Box::new(Chain {
        links: links.into(),
        proxies: TrustedProxies::new(tenancy.trusted_proxies.iter().copied()),
        require_verified: tenancy.require_verified,
        challenge,
        hint: hint.into(),
    })))
}

/// The sources with those of the app's own in their place.
fn with_own(config: &Config, given: usize) -> Result<Vec<Source>, BootError> {
    let mut sources = config.sources();
    let is_named = sources.contains(&Source::Custom);
    let is_listed = config.tenancy.sources.is_some();
    match (given > 0, is_named) {
        (true, false) if is_listed => Err(BootError::OwnSource {
            given,
            named: "does not name `custom`",
            remedy: "add `custom` where they are to be asked, or give none",
        }),
        (false, true) => Err(BootError::OwnSource {
            given,
            named: "names `custom`",
            remedy: "give one in `main` with `App::builder().source(..)`, or remove `custom`",
        }),
        (true, false) => {
            sources.push(Source::Custom);
            Ok(sources)
        }
        _ => Ok(sources),
    }
}

#[cfg(feature = "jwt")]
fn token(config: &Config, beside_keys: bool, challenge: &HeaderValue) -> Result<Link, BootError> {
    use crate::tenancy::jwt::Tokens;
    // The configuration was refused when `jwt` is named and not set.
    let Some(settings) = &config.jwt else {
        return Err(BootError::NotBuilt { key: "tenancy.jwt", feature: "jwt" });
    };
    let failed = |source| BootError::TokenKeys { source: Box::new(source) };
    let tokens = Tokens::new(settings, &config.folder, challenge).map_err(failed)?;
    Ok(Link::Token { tokens: Box::new(tokens), beside_keys })
}

#[cfg(not(feature = "jwt"))]
fn token(_: &Config, _: bool, _: &HeaderValue) -> Result<Link, BootError> {
    Err(BootError::NotBuilt { key: "tenancy.jwt", feature: "jwt" })
}

fn header(config: &Config) -> Result<Option<HeaderName>, BootError> {
    config.tenancy.header.as_deref().map(|name| header_name("tenancy.header", name)).transpose()
}

fn key_header(config: &Config) -> Result<Option<HeaderName>, BootError> {
    let name = config.api_key.as_ref().map(|keys| keys.header.as_str());
    name.map(|name| header_name("tenancy.api_key.header", name)).transpose()
}

fn header_name(key: &'static str, name: &str) -> Result<HeaderName, BootError> {
    let failed = |source| BootError::Header { key, name: name.to_owned(), source };
    HeaderName::from_bytes(name.as_bytes()).map_err(failed)
}

/// The hosts that name a tenant.
pub(super) fn hosts(config: &Config) -> Hosts {
    let tenancy = &config.tenancy;
    let bases = tenancy.base_domain.iter().chain(&tenancy.base_domains).map(String::as_str);
    Hosts::new(bases, tenancy.reserved_labels.iter().map(String::as_str))
}

/// What a client without a proof is told to send: for programs (RFC 9110, section 11.6.1), and in words.
fn challenge(config: &Config) -> Result<(HeaderValue, String), BootError> {
    let sources = config.sources();
    let key_header = key_header(config)?.filter(|_| sources.contains(&Source::ApiKey));
    let has_tokens = sources.contains(&Source::Jwt);
    let is_bearer = has_tokens || key_header == Some(AUTHORIZATION);
    let scheme = if is_bearer { "Bearer" } else { "ApiKey" };
    // The name of an app is plain ASCII without quotes.
    let value = format!("{scheme} realm=\"{}\"", config.app.name);
    let value = HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("Bearer"));
    let mut ways = Vec::new();
    if has_tokens {
        ways.push("a token as `Authorization: Bearer`".to_owned());
    }
    match key_header {
        Some(AUTHORIZATION) => ways.push("an API key as `Authorization: Bearer`".to_owned()),
        Some(name) => ways.push(format!("an API key in the header `{name}`")),
        None => {}
    }
    let hint =
        if ways.is_empty() { "log in first".to_owned() } else { format!("send {}", ways.join(" or ")) };
    Ok((value, hint))
}

/// How a client names its tenant, for a message.
pub(super) fn hint(config: &Config) -> String {
    let tenancy = &config.tenancy;
    let ways = config.sources().into_iter().filter_map(|source| match source {
        Source::Header => {
            Some(format!("send the header {}", tenancy.header.as_deref()?.to_ascii_lowercase()))
        }
        Source::Subdomain => Some("send a Host with the tenant as its first label".to_owned()),
        Source::Domain => Some("use the tenant's own domain".to_owned()),
        Source::Path => Some(format!("begin the path with {}/TENANT", tenancy.path.as_deref()?)),
        Source::Jwt => Some("send a token as `Authorization: Bearer`".to_owned()),
        Source::ApiKey => Some(format!("send an API key in the header {}", config.api_key.as_ref()?.header)),
        _ => None,
    });
    let ways: Vec<String> = ways.collect();
    if ways.is_empty() { "log in first".to_owned() } else { ways.join(", or ") }
}

/// How a client names no tenant, for a message.
pub(super) fn without(config: &Config) -> String {
    let mut ways: Vec<String> = Vec::new();
    for source in config.sources() {
        let way = match source {
            Source::Header => match &config.tenancy.header {
                Some(header) => format!("the header {}", header.to_ascii_lowercase()),
                None => continue,
            },
            Source::Subdomain | Source::Domain => "a tenant in the host name".to_owned(),
            Source::Path => "a tenant in its path".to_owned(),
            Source::Jwt => "a token".to_owned(),
            Source::ApiKey => "an API key".to_owned(),
            _ => "what names one".to_owned(),
        };
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    if ways.is_empty() { "what names one".to_owned() } else { ways.join(" and ") }
}

/// The headers that decide what a client gets. The host and the path are part of the URL.
pub(super) fn vary(config: &Config, own: usize) -> Option<HeaderValue> {
    if !config.tenancy.enabled {
        return None;
    }
    let sources = config.sources();
    if own > 0 {
        // Only the app knows what it reads.
        return Some(HeaderValue::from_static("*"));
    }
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        let name = name.to_ascii_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    };
    for source in &sources {
        match source {
            Source::Header => config.tenancy.header.iter().for_each(|name| add(name)),
            Source::Jwt => add(AUTHORIZATION.as_str()),
            Source::ApiKey => config.api_key.iter().for_each(|keys| add(&keys.header)),
            Source::Subdomain | Source::Domain if !config.tenancy.trusted_proxies.is_empty() => {
                add(FORWARDED.as_str());
                add("x-forwarded-host");
            }
            _ => {}
        }
    }
    if names.is_empty() {
        return None;
    }
    let names = names.join(", ");
    // `from_static` panics where this refuses.
    HeaderValue::try_from(&names).ok().map(|_| HeaderValue::from_static(interned(names)))
}

/// The same text for the life of the process. Each answer carries a copy, and one that is counted costs two steps that all cores
/// share. Few: each app of a process adds at most one.
fn interned(text: String) -> &'static str {
    static TEXTS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = texts.get(text.as_str()) {
        return known;
    }
    let text: &'static str = Box::leak(text.into_boxed_str());
    texts.insert(text);
    text
}

/// `tenancy.path`, when requests name their tenant there.
pub(super) fn path<'a>(
    config: &'a Config,
    plugins: &[(&'static str, Arc<dyn AnyMounted>)],
) -> Result<Option<&'a str>, BootError> {
    let is_asked = config.tenancy.enabled && config.sources().contains(&Source::Path);
    let Some(path) = config.tenancy.path.as_deref().filter(|_| is_asked) else { return Ok(None) };
    for (plugin, mounted) in plugins {
        for (spec, _) in mounted.routes() {
            let route = full_path(&config.app.prefix, plugin, spec);
            if route == path || route.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')) {
                return Err(BootError::PathTaken { route, path: path.to_owned() });
            }
        }
    }
    Ok(Some(path))
}

/// The header that names a tenant, when that is all a request needs.
pub(super) fn greeted(config: &Config) -> Option<&String> {
    let is_enough = config.sources().contains(&Source::Header) && !config.tenancy.require_verified;
    config.tenancy.header.as_ref().filter(|_| is_enough)
}
