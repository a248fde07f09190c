//! The tables of a tenant's billing.

use sea_orm::Schema;
use sea_orm_migration::prelude::*;

use super::invoice;

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_invoices::Migration)]
    }
}

mod m0001_invoices {
    use super::*;

    #[derive(DeriveMigrationName)]
    pub(super) struct Migration;

    #[async_trait::async_trait]
    impl MigrationTrait for Migration {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            let schema = Schema::new(manager.get_database_backend());
            manager.create_table(schema.create_table_from_entity(invoice::Entity)).await
        }
    }
}
