//! Products, and two to begin with.

use sea_orm::{ActiveValue::Set, EntityTrait, QueryTrait, Schema};
use sea_orm_migration::prelude::*;

use crate::catalog::product;

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
        manager.get_connection().execute(insert.as_query()).await.map(|_| ())
    }
}
