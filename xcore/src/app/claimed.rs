//! The right to create or delete a tenant.

use super::TenantError;
use crate::db::TenantClaim;
use crate::tenancy::TenantId;

/// The right to work on a tenant. Without a database there is one process only.
pub(super) struct Claimed {
    pub(super) id: TenantId,
    pub(super) held: Option<Box<dyn TenantClaim>>,
}

impl Claimed {
    /// Asked before a step that cannot be taken back.
    pub(super) async fn check(&self) -> Result<(), TenantError> {
        let Some(held) = &self.held else { return Ok(()) };
        let failed = |source| TenantError::Data { id: self.id, step: "claimed", source };
        held.check().await.map_err(failed)
    }
}
