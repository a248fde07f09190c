//! A source of the app's own.

use async_trait::async_trait;
use axum::http::request::Parts;

use super::{TenancyError, TenantId};

/// A place of a request that names its tenant, written by the app: a session cookie, a client certificate, a signed query.
///
/// Given to [`AppBuilder::source`](crate::AppBuilder::source). It is asked for every request, where `custom` stands in
/// `tenancy.sources`; what it names must agree with what the other sources name, and the directory has the last word about
/// whether there is such a tenant.
///
/// ```
/// use xcore::axum::http::request::Parts;
/// use xcore::tenancy::{Named, TenancyError, TenantId, TenantSource};
///
/// /// The first part of a session's id, which the app's own login has signed.
/// struct Session;
///
/// #[xcore::async_trait]
/// impl TenantSource for Session {
///     async fn tenant(&self, request: &Parts) -> Result<Option<Named>, TenancyError> {
///         let Some(value) = request.headers.get("x-session") else { return Ok(None) };
///         let name = value.as_bytes().split(|byte| *byte == b'.').next().unwrap_or_default();
///         let id = TenantId::parse_bytes(name)
///             .map_err(|problem| TenancyError::Malformed { source_name: "session", problem })?;
///         // ... check the signature here ...
///         Ok(Some(Named::verified(id)))
///     }
/// }
/// ```
#[async_trait]
pub trait TenantSource: Send + Sync + 'static {
    /// The tenant that the request names here; `None` when it names none.
    ///
    /// # Errors
    /// Whatever is wrong ends the request: it never falls back to another source or to the default tenant.
    async fn tenant(&self, request: &Parts) -> Result<Option<Named>, TenancyError>;
}

/// A tenant that a source has named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    pub(super) tenant: TenantId,
    pub(super) is_verified: bool,
    /// The life of the tenant that is meant, where the source knows it.
    pub(super) life: Option<i64>,
}

impl Named {
    /// Named, and not proved: anybody could have said it. With `tenancy.require_verified` it is not enough.
    #[must_use]
    pub fn unverified(tenant: TenantId) -> Self {
        Self { tenant, is_verified: false, life: None }
    }

    /// Proved: the source has checked that the request may act for this tenant.
    #[must_use]
    pub fn verified(tenant: TenantId) -> Self {
        Self { tenant, is_verified: true, life: None }
    }
}
