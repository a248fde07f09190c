//! What the service promises, tried on real files.

mod cancellation;
mod files;
mod isolation;
mod migrations;
mod open_files;
mod raw_sql;
mod reads;
#[cfg(feature = "schema-sync")]
mod schema_sync;
mod seats;
mod sessions;
mod transactions;

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, PaginatorTrait};
use tempfile::TempDir;

use super::sqlite::Sqlite;
use super::{Database, DatabaseSettings, TenantDb};
use crate::tenancy::{Tenant, TenantId};

/// A cake of one tenant.
mod cake {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "cake")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub name: String,
        pub price: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {
        #[sea_orm(has_many = "super::topping::Entity")]
        Topping,
    }

    impl Related<super::topping::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Topping.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What lies on a cake.
mod topping {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "topping")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub cake_id: i32,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {
        #[sea_orm(
            belongs_to = "super::cake::Entity",
            from = "Column::CakeId",
            to = "super::cake::Column::Id"
        )]
        Cake,
    }

    impl Related<super::cake::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Cake.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLES: &str = "
    CREATE TABLE cake (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, price INTEGER NOT NULL);
    CREATE TABLE topping (id INTEGER PRIMARY KEY AUTOINCREMENT, cake_id INTEGER NOT NULL REFERENCES cake (id), name TEXT NOT NULL);
";

fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// A service on a folder of its own.
struct Kitchen {
    database: Database,
    sqlite: Arc<Sqlite>,
    folder: TempDir,
}

impl Kitchen {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut DatabaseSettings)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut settings = settings(&folder);
        change(&mut settings);
        let sqlite = Arc::new(Sqlite::open(settings).await.unwrap());
        Self { database: Database::on(sqlite.clone()), sqlite, folder }
    }

    fn handle(&self, name: &str) -> TenantDb {
        self.database.tenant(&Tenant::admit(id(name), 0))
    }

    /// A tenant with its tables.
    async fn tenant(&self, name: &str) -> TenantDb {
        self.database.provision(&id(name)).await.unwrap();
        let db = self.handle(name);
        db.execute_unprepared(TABLES).await.unwrap();
        db
    }
}

fn settings(folder: &TempDir) -> DatabaseSettings {
    let mut settings = DatabaseSettings::new("sqlite://data", folder.path()).unwrap();
    settings.acquire_timeout = Duration::from_secs(5);
    settings.drain_timeout = Duration::from_secs(5);
    settings
}

async fn bake<C: ConnectionTrait>(db: &C, name: &str) -> cake::Model {
    cake::ActiveModel { name: Set(name.to_owned()), price: Set(1), ..Default::default() }
        .insert(db)
        .await
        .unwrap()
}

async fn count<C: ConnectionTrait>(db: &C) -> u64 {
    cake::Entity::find().count(db).await.unwrap()
}

/// Waits until something holds, for at most ten seconds.
async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(std::time::Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Polls a future once. True when it has something to wait for.
async fn waits<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending()))
        .await
}
