//! Why a request was not admitted to a tenant.

use std::fmt;
use std::sync::Arc;

use axum::http::HeaderValue;

use super::{InvalidTenantId, StoreError, TenantId};

/// Why a request was not admitted to a tenant. Each has its own status and problem type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TenancyError {
    /// 400: a source names something that is no tenant id.
    #[error("the {source_name} names no valid tenant: {problem}")]
    Malformed {
        /// Which source.
        source_name: &'static str,
        /// What is wrong with the name.
        #[source]
        problem: InvalidTenantId,
    },
    /// 400: the host of the request cannot be read.
    #[error(
        "the Host of the request is malformed; send one host name with at most one label before the base domain"
    )]
    MalformedHost,
    /// 400: the header is there more than once.
    #[error("the header `{name}` is sent more than once; send it once")]
    Repeated {
        /// Which header.
        name: String,
    },
    /// 400: no source names a tenant and there is no default.
    #[error("the request names no tenant; {hint}")]
    Missing {
        /// How to name one.
        hint: Box<str>,
    },
    /// 400: a source names a tenant, and the action belongs to none.
    #[error("this route belongs to no tenant; send the request without {without}")]
    Unexpected {
        /// What to leave out.
        without: String,
    },
    /// 403: two sources name different tenants.
    #[error("the {first} and the {second} name different tenants; send only one of them, or make them agree")]
    Disagree {
        /// The one that was asked first.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// 401: a token, an API key or another credential proves nothing.
    #[error("the {source_name} is not accepted: {reason}")]
    Credential {
        /// Which source.
        source_name: &'static str,
        /// Why, for the client.
        reason: &'static str,
        /// What the client is told to send (RFC 9110, section 11.6.1).
        challenge: HeaderValue,
    },
    /// 401: nothing proves the tenant, and `tenancy.require_verified` wants a proof.
    #[error("nothing in the request proves its tenant; {hint}")]
    Unverified {
        /// How to prove one.
        hint: Box<str>,
        /// What the client is told to send.
        challenge: HeaderValue,
    },
    /// 403: the header is read from trusted proxies only, and this request comes from somebody else.
    #[error("the header `{header}` is accepted from the proxies of this app only; do not send it")]
    UntrustedPeer {
        /// Which header.
        header: Box<str>,
    },
    /// 400: what a proxy says of the request cannot be read.
    #[error("the header `{header}` cannot be read")]
    MalformedForwarded {
        /// Which header.
        header: &'static str,
    },
    /// 503: a source cannot tell now.
    #[error("the {source_name} cannot be checked now")]
    SourceUnavailable {
        /// Which source.
        source_name: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// 404: the directory does not know it.
    #[error("there is no such tenant")]
    Unknown,
    /// 403: it exists and is suspended.
    #[error("{0}")]
    Suspended(Arc<Suspended>),
    /// 503: its data could not be brought to the version of this binary, or is being made or dropped.
    #[error("the tenant is being maintained")]
    Held,
    /// 503: the directory could not be asked.
    #[error("the directory cannot look up tenant `{id}` now")]
    Unavailable {
        /// The tenant that was asked for.
        id: TenantId,
        /// Why.
        #[source]
        source: StoreError,
    },
}

/// A tenant that is suspended, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suspended {
    /// Its name.
    pub id: TenantId,
    /// What the operator gave as the reason. Clients see it.
    pub reason: Option<String>,
}

impl fmt::Display for Suspended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the tenant is suspended")?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))
    }
}
