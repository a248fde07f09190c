//! Why a request was not admitted to a tenant.

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
    #[error("the request names no tenant; send the header {header}")]
    Missing {
        /// The header to send, or the words for the other way.
        header: String,
    },
    /// 400: a source names a tenant, and the action belongs to none.
    #[error("this route belongs to no tenant; send the request without {without}")]
    Unexpected {
        /// What to leave out.
        without: String,
    },
    /// 403: two sources name different tenants.
    #[error("the header and the host name different tenants; send only one of them, or make them agree")]
    Disagree,
    /// 404: the directory does not know it.
    #[error("there is no such tenant")]
    Unknown,
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
