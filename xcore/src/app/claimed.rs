//! The right to create, rename or delete a tenant.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::TenantError;
use crate::db::{DatabaseError, TenantClaim};
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

/// The right to work on two names, to give a tenant the second.
pub(super) struct Both<'a>(pub(super) &'a dyn TenantClaim, pub(super) &'a dyn TenantClaim);

impl TenantClaim for Both<'_> {
    fn check(&self) -> BoxFuture<'_, Result<(), DatabaseError>> {
        async move {
            self.0.check().await?;
            self.1.check().await
        }
        .boxed()
    }
}
