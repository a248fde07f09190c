//! How the directory's own tables have come about.

use sea_orm_migration::{MigrationTrait, MigratorTrait};

use super::directory_columns::Columns;
use super::directory_soft::SoftDeletion;
use super::directory_table::{revision, tenant};
use super::directory_versions::Versions;
use super::{directory_credentials, directory_rename};

/// The migrations of the directory's own tables.
pub(super) struct DirectoryMigrator;

impl MigratorTrait for DirectoryMigrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(first::Tables),
            Box::new(directory_credentials::Tables),
            Box::new(third::Server),
            Box::new(Columns),
            Box::new(Versions),
            Box::new(directory_rename::Columns),
            Box::new(crate::scheduler::JobTables),
            Box::new(SoftDeletion),
            Box::new(crate::scheduler::RetryColumn),
            Box::new(crate::scheduler::AddedColumn),
            Box::new(crate::scheduler::QueueTables),
        ]
    }
}

pub(super) mod first {
    use super::revision;
    use sea_orm::ActiveValue::Set;
    use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryTrait, Schema};
    use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

    /// The tenants as this migration makes them.
    mod tenant {
        #![expect(unreachable_pub, reason = "the derive of SeaORM wants it")]
        use sea_orm::entity::prelude::*;

        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "xcore_tenants")]
        pub struct Model {
            #[sea_orm(primary_key, auto_increment = false)]
            pub id: String,
            pub state: String,
            pub version: Option<String>,
            pub life: i64,
            pub created_at: i64,
            pub updated_at: i64,
        }

        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}
    }

    pub(in crate::app) struct Tables;

    impl MigrationName for Tables {
        fn name(&self) -> &str {
            "m0001_tables"
        }
    }

    #[async_trait::async_trait]
    impl MigrationTrait for Tables {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            let schema = Schema::new(manager.get_database_backend());
            manager.create_table(schema.create_table_from_entity(tenant::Entity)).await?;
            manager.create_table(schema.create_table_from_entity(revision::Entity)).await?;
            let row = revision::ActiveModel { id: Set(revision::ROW), revision: Set(1) };
            let insert = revision::Entity::insert(row);
            manager.get_connection().execute(insert.as_query()).await.map(|_| ())
        }
    }
}

mod third {
    use super::tenant;
    use sea_orm::DbErr;
    use sea_orm::sea_query::{ColumnDef, Table};
    use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

    pub(super) struct Server;

    impl MigrationName for Server {
        fn name(&self) -> &str {
            "m0003_server"
        }
    }

    #[async_trait::async_trait]
    impl MigrationTrait for Server {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            let server = ColumnDef::new(tenant::Column::Server).string().null().to_owned();
            manager.alter_table(Table::alter().table(tenant::Entity).add_column(server).to_owned()).await
        }
    }
}
