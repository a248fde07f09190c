//! What stands behind the versions that the directory notes of tenants. A row for each release of the app.

use std::collections::BTreeSet;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Schema};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::tenancy::DataVersion;

mod version {
    #![expect(unreachable_pub, reason = "the derive of SeaORM wants it")]
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "xcore_versions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: String,
        /// A JSON array of texts.
        #[sea_orm(column_type = "Text")]
        pub migrations: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Adds the table.
pub(super) struct Versions;

impl MigrationName for Versions {
    fn name(&self) -> &str {
        "m0005_versions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Versions {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let schema = Schema::new(manager.get_database_backend());
        manager.create_table(schema.create_table_from_entity(version::Entity)).await
    }
}

/// Writes what stands behind a version, unless it is there.
pub(super) async fn write<C: ConnectionTrait>(connection: &C, version: &DataVersion) -> Result<(), DbErr> {
    // A list of texts can always be written.
    let migrations = serde_json::to_string(&version.migrations).unwrap_or_default();
    let row = version::Model { version: version.text.clone(), migrations };
    let insert = version::Entity::insert(version::ActiveModel::from(row));
    let unless_there = OnConflict::column(version::Column::Version).do_nothing().to_owned();
    insert.on_conflict(unless_there).exec_without_returning(connection).await.map(drop)
}

/// The migrations behind a version. What this program cannot read counts as not written.
pub(super) async fn read<C: ConnectionTrait>(
    connection: &C,
    version: &str,
) -> Result<Option<BTreeSet<String>>, DbErr> {
    let row = version::Entity::find_by_id(version).one(connection).await?;
    Ok(row.and_then(|row| serde_json::from_str(&row.migrations).ok()))
}
