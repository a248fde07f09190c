//! Requests for actions that need no tenant: whether they name one. The default tenant stands in where one is needed, so not here.

use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Uri};

use super::admission::{Admission, Asks, Preadmitted};
use super::{Named, TenancyError, Tenant};

/// Whom a request names, before the directory is asked.
enum Whom {
    Nobody,
    Admitted(Tenant),
    Named(Named),
}

impl Admission {
    /// That a request names no tenant. Where [`Admission::must_wait`] does not hold.
    ///
    /// Whether there is such a tenant is not asked, so it is not told either.
    pub(crate) fn nobody_now(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        extensions: &Extensions,
    ) -> Result<(), TenancyError> {
        self.only_nobody(&self.whom_now(headers, uri, extensions)?)
    }

    /// As [`Admission::nobody_now`], with every kind of source. What is wrong with a credential is told first.
    pub(crate) async fn nobody(&self, request: &Parts) -> Result<(), TenancyError> {
        self.only_nobody(&self.whom(request).await?)
    }

    /// The tenant that a request names, if it names one. One that is named has to be proved as for an action of a tenant.
    pub(crate) async fn admit_named(&self, request: &Parts) -> Result<Option<Tenant>, TenancyError> {
        match self.whom(request).await? {
            Whom::Nobody => Ok(None),
            Whom::Admitted(tenant) => Ok(Some(tenant)),
            Whom::Named(named) => {
                if let Asks::Chain(chain) = &self.asks {
                    chain.prove(Some(&named))?;
                }
                self.admit_life(&named).await.map(Some)
            }
        }
    }

    fn only_nobody(&self, whom: &Whom) -> Result<(), TenancyError> {
        match whom {
            Whom::Nobody => Ok(()),
            Whom::Admitted(_) | Whom::Named(_) => {
                Err(TenancyError::Unexpected { without: self.without.clone().into() })
            }
        }
    }

    async fn whom(&self, request: &Parts) -> Result<Whom, TenancyError> {
        let Asks::Chain(chain) = &self.asks else {
            return self.whom_now(&request.headers, &request.uri, &request.extensions);
        };
        if let Some(whom) = self.of_call(&request.extensions) {
            return Ok(whom);
        }
        let named = chain.named(request, self.directory.outlook()).await?;
        Ok(named.map_or(Whom::Nobody, Whom::Named))
    }

    fn whom_now(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        extensions: &Extensions,
    ) -> Result<Whom, TenancyError> {
        if let Some(whom) = self.of_call(extensions) {
            return Ok(whom);
        }
        let id = match &self.asks {
            Asks::Plain(sources) => sources.tenant_of(headers, uri)?,
            Asks::Nobody => None,
            // It was not asked, so nobody would be a guess.
            Asks::Chain(_) => return Err(self.missing()),
        };
        Ok(id.map_or(Whom::Nobody, |id| Whom::Named(Named::unverified(id))))
    }

    fn of_call(&self, extensions: &Extensions) -> Option<Whom> {
        let Preadmitted { tenant, app } = extensions.get::<Preadmitted>()?;
        (*app == self.app).then(|| tenant.clone().map_or(Whom::Nobody, Whom::Admitted))
    }
}
