//! What an open directory goes by.

use async_trait::async_trait;

use crate::db::{Database, DatabaseError};
use crate::tenancy::{Existence, StoreError, TenantId};

#[async_trait]
impl Existence for Database {
    async fn has_data(&self, id: &TenantId) -> Result<bool, StoreError> {
        self.exists(id).await.map_err(failed)
    }

    async fn all(&self) -> Result<Vec<TenantId>, StoreError> {
        self.tenants_on_disk().await.map_err(failed)
    }
}

fn failed(error: DatabaseError) -> StoreError {
    StoreError::Database { source: Box::new(error) }
}

/// For an app without a database: every well-formed name is a tenant.
pub(super) struct Everyone;

#[async_trait]
impl Existence for Everyone {
    async fn has_data(&self, _: &TenantId) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn all(&self) -> Result<Vec<TenantId>, StoreError> {
        Ok(Vec::new())
    }
}
