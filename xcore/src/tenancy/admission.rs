//! From a request to a tenant.

use axum::http::Extensions;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};

use super::{Chain, Directory, Link, Named, QuickName, Sources, TenancyError, Tenant, TenantId};

/// Decides which tenant a request belongs to.
pub(crate) struct Admission {
    /// Tells the apps of one process apart.
    pub(crate) app: u64,
    pub(crate) asks: Asks,
    pub(crate) default: Option<TenantId>,
    /// How a client names a tenant, for a message.
    pub(crate) hint: Box<str>,
    /// How a client names no tenant, for a message.
    pub(crate) without: Box<str>,
    pub(crate) directory: Directory,
}

/// Who is asked which tenant a request belongs to.
pub(crate) enum Asks {
    /// Nobody: every request belongs to the default tenant.
    Nobody,
    /// The header and the host. This is what most apps have, and what is fast.
    Plain(Sources),
    /// Whatever else there is, in order.
    Chain(Box<Chain>),
}

/// A tenant that was admitted before the request was made: a call by name carries it. The type is private to the
/// crate, so no client and no plugin can put one into a request.
#[derive(Clone)]
pub(crate) struct Preadmitted {
    /// `None`: the call belongs to no tenant, whatever else the request says.
    pub(crate) tenant: Option<Tenant>,
    /// The [`Admission::app`] that admitted it; another app in the same process has other tenants.
    pub(crate) app: u64,
}

impl Admission {
    /// The tenant of a request. With plain sources a known tenant costs no allocation.
    pub(crate) async fn admit(&self, request: &Parts) -> Result<Tenant, TenancyError> {
        let Asks::Chain(chain) = &self.asks else {
            return match self.admit_now(&request.headers, &request.uri, &request.extensions)? {
                Ok(tenant) => Ok(tenant),
                Err(id) => self.directory.admit(&id).await,
            };
        };
        if let Some(tenant) = self.preadmitted(&request.extensions)? {
            return Ok(tenant);
        }
        let named = chain.named(request, self.directory.outlook()).await?;
        chain.prove(named.as_ref())?;
        match named {
            Some(named) => self.admit_life(&named).await,
            None => self.directory.admit(&self.default()?).await,
        }
    }

    /// The tenant that was named, in the life that was meant.
    pub(super) async fn admit_life(&self, named: &Named) -> Result<Tenant, TenancyError> {
        let tenant = self.directory.admit(&named.tenant).await?;
        // What is kept for a tenant is kept for one life of it: the next one of its name has not made it.
        if named.life.is_some_and(|life| life != tenant.life()) {
            return Err(TenancyError::Unknown);
        }
        Ok(tenant)
    }

    /// Whether only [`Admission::admit`] can tell.
    #[inline]
    pub(crate) fn must_wait(&self) -> bool {
        matches!(self.asks, Asks::Chain(_))
    }

    /// The tenant of a request when the directory remembers it, otherwise the name to ask it for. For plain sources.
    pub(crate) fn admit_now(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        extensions: &Extensions,
    ) -> Result<Result<Tenant, TenantId>, TenancyError> {
        if let Some(tenant) = self.preadmitted(extensions)? {
            return Ok(Ok(tenant));
        }
        let named = match &self.asks {
            Asks::Plain(sources) => sources.tenant_of(headers, uri)?,
            Asks::Nobody => None,
            // It was not asked, so the default tenant would be a guess.
            Asks::Chain(_) => return Err(self.missing()),
        };
        let id = named.map_or_else(|| self.default(), Ok)?;
        Ok(self.directory.remembered(&id).ok_or(id))
    }

    /// The bytes to ask the directory's memory with, when they can be told without parsing. A call that carries its tenant is not
    /// asked for one.
    #[inline]
    pub(crate) fn quick_name<'a>(
        &'a self,
        headers: &'a HeaderMap,
        uri: &'a Uri,
        extensions: &Extensions,
    ) -> Option<&'a [u8]> {
        if extensions.get::<Preadmitted>().is_some() {
            return None;
        }
        let named = match &self.asks {
            Asks::Plain(sources) => sources.quick_name(headers, uri),
            Asks::Nobody => QuickName::Nobody,
            Asks::Chain(_) => QuickName::Unclear,
        };
        match named {
            QuickName::Name(name) => Some(name),
            QuickName::Nobody => self.default.as_ref().map(TenantId::as_bytes),
            QuickName::Unclear => None,
        }
    }

    /// Whether it is a call by name, and no request.
    pub(crate) fn is_call(&self, extensions: &Extensions) -> bool {
        extensions.get::<Preadmitted>().is_some_and(|call| call.app == self.app)
    }

    /// Whether a host names its tenant by its first label.
    pub(crate) fn reads_subdomains_of(&self, host: &str) -> bool {
        match &self.asks {
            Asks::Nobody => false,
            Asks::Plain(sources) => sources.subdomain.as_ref().is_some_and(|hosts| hosts.hold(host)),
            Asks::Chain(chain) => {
                let hold = |link: &Link| matches!(link, Link::Subdomain(hosts) if hosts.hold(host));
                chain.links.iter().any(hold)
            }
        }
    }

    /// The tenant of a call by name, which may belong to none; `None` for a request.
    fn preadmitted(&self, extensions: &Extensions) -> Result<Option<Tenant>, TenancyError> {
        match extensions.get::<Preadmitted>() {
            Some(Preadmitted { tenant, app }) if *app == self.app => {
                tenant.clone().ok_or_else(|| self.missing()).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn default(&self) -> Result<TenantId, TenancyError> {
        self.default.ok_or_else(|| self.missing())
    }

    pub(super) fn missing(&self) -> TenancyError {
        TenancyError::Missing { hint: self.hint.clone() }
    }
}
