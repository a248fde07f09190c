//! Invoices.

use sea_orm::Schema;
use sea_orm_migration::prelude::*;

use crate::billing::invoice;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let schema = Schema::new(manager.get_database_backend());
        manager.create_table(schema.create_table_from_entity(invoice::Entity)).await
    }
}
