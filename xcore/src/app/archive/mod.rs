//! Tenants that are exported into a file, imported from one, and cloned.
//!
//! What travels is rows, never anything that runs: the tables are made by the migrations of the program that takes them. A tenant that
//! is being filled is `importing`, which nobody is routed to, and is undone when that does not come to its end.

mod error;
mod export;
mod import;
mod manifest;
mod read;
mod receive;
mod write;

pub use error::ArchiveError;

use crate::tenancy::TenantId;

/// What was exported, imported or cloned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transferred {
    /// The tenant: of an import or a clone, the new one.
    pub tenant: TenantId,
    /// How many tables it has, without those of the framework.
    pub tables: usize,
    /// How many rows they have.
    pub rows: u64,
    /// How many jobs it had added at run time.
    pub jobs: usize,
}
