//! From a request to a tenant.

use axum::http::Extensions;
use axum::http::{HeaderMap, Uri};

use super::{Directory, QuickName, Sources, TenancyError, Tenant, TenantId};

/// Decides which tenant a request belongs to.
pub(crate) struct Admission {
    /// Tells the apps of one process apart.
    pub(crate) app: u64,
    /// `false`: every request belongs to the default tenant.
    pub(crate) enabled: bool,
    pub(crate) sources: Sources,
    pub(crate) default: Option<TenantId>,
    pub(crate) directory: Directory,
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
    /// The tenant of a request. A known tenant costs no allocation.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        extensions: &Extensions,
    ) -> Result<Tenant, TenancyError> {
        match self.admit_now(headers, uri, extensions)? {
            Ok(tenant) => Ok(tenant),
            Err(id) => self.directory.admit(&id).await,
        }
    }

    /// The tenant of a request when the directory remembers it, otherwise the name to ask it for.
    pub(crate) fn admit_now(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        extensions: &Extensions,
    ) -> Result<Result<Tenant, TenantId>, TenancyError> {
        if let Some(preadmitted) = extensions.get::<Preadmitted>()
            && preadmitted.app == self.app
        {
            let missing = || TenancyError::Missing { header: self.sources.hint() };
            return preadmitted.tenant.clone().ok_or_else(missing).map(Ok);
        }
        let id = self.identify(headers, uri)?;
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
        let named = if self.enabled { self.sources.quick_name(headers, uri) } else { QuickName::Nobody };
        match named {
            QuickName::Name(name) => Some(name),
            QuickName::Nobody => self.default.as_ref().map(TenantId::as_bytes),
            QuickName::Unclear => None,
        }
    }

    fn identify(&self, headers: &HeaderMap, uri: &Uri) -> Result<TenantId, TenancyError> {
        let named = if self.enabled { self.sources.tenant_of(headers, uri)? } else { None };
        named.or(self.default).ok_or_else(|| TenancyError::Missing { header: self.sources.hint() })
    }
}
