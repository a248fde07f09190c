//! Requests for actions that need no tenant: whether they name one. The default tenant stands in where one is needed, so not here.

use axum::http::{Extensions, HeaderMap, Uri};

use super::admission::{Admission, Preadmitted};
use super::{TenancyError, Tenant, TenantId};

/// Whom a request names, before the directory is asked.
enum Named {
    Nobody,
    Admitted(Tenant),
    Id(TenantId),
}

impl Admission {
    /// That a request names no tenant.
    ///
    /// Whether there is such a tenant is not asked, so it is not told either.
    pub(crate) fn nobody(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        extensions: &Extensions,
    ) -> Result<(), TenancyError> {
        match self.named(headers, uri, extensions)? {
            Named::Nobody => Ok(()),
            Named::Admitted(_) | Named::Id(_) => {
                Err(TenancyError::Unexpected { without: self.sources.without() })
            }
        }
    }

    /// The tenant that a request names, if it names one.
    pub(crate) async fn admit_named(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        extensions: &Extensions,
    ) -> Result<Option<Tenant>, TenancyError> {
        match self.named(headers, uri, extensions)? {
            Named::Nobody => Ok(None),
            Named::Admitted(tenant) => Ok(Some(tenant)),
            Named::Id(id) => match self.directory.remembered(&id) {
                Some(tenant) => Ok(Some(tenant)),
                None => self.directory.admit(&id).await.map(Some),
            },
        }
    }

    fn named(&self, headers: &HeaderMap, uri: &Uri, extensions: &Extensions) -> Result<Named, TenancyError> {
        if let Some(Preadmitted { tenant, app }) = extensions.get::<Preadmitted>()
            && *app == self.app
        {
            return Ok(tenant.clone().map_or(Named::Nobody, Named::Admitted));
        }
        let id = if self.enabled { self.sources.tenant_of(headers, uri)? } else { None };
        Ok(id.map_or(Named::Nobody, Named::Id))
    }
}
