//! The shared tables of the catalog.

use sea_orm::{ActiveValue::Set, EntityTrait, Schema};
use sea_orm_migration::prelude::*;

use super::product;

pub(crate) struct SharedMigrator;

impl MigratorTrait for SharedMigrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_products::Migration)]
    }
}

mod m0001_products {
    use super::*;

    #[derive(DeriveMigrationName)]
    pub(super) struct Migration;

    #[async_trait::async_trait]
    impl MigrationTrait for Migration {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            let schema = Schema::new(manager.get_database_backend());
            manager.create_table(schema.create_table_from_entity(product::Entity)).await?;
            let products = [("coffee", "Coffee, 1 kg", 1_890), ("tea", "Green tea, 100 g", 650)];
            let rows = products.map(|(sku, name, price)| product::ActiveModel {
                sku: Set(sku.to_owned()),
                name: Set(name.to_owned()),
                price: Set(price),
            });
            let insert = product::Entity::insert_many(rows);
            manager.get_connection().execute(sea_orm::QueryTrait::as_query(&insert)).await?;
            Ok(())
        }
    }
}
