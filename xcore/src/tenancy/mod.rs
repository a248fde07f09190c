//! Who the tenants are and how a request names one.
//!
//! A [`TenantId`] is a parsed name; a [`Tenant`] is a name that the [`Directory`] has admitted. Requests name a tenant
//! through their [sources](Sources): the header first, then the subdomain; when both speak, they must agree.

mod admission;
mod directory;
mod error;
mod head;
mod host;
mod id;
mod named;
mod sources;
mod store;
mod tenant;
mod turns;

pub use directory::Directory;
pub use error::TenancyError;
pub use id::{InvalidTenantId, MAX_LEN, TenantId};
use sources::QuickName;
pub use sources::Sources;
pub use store::{DirectoryStore, State, StoreError, TenantRecord};
pub use tenant::Tenant;

pub(crate) use admission::{Admission, Preadmitted};
pub(crate) use directory::Hold;
pub(crate) use head::value_of;
pub(crate) use store::{Existence, FixedStore, OpenStore};
pub(crate) use turns::Turns;
