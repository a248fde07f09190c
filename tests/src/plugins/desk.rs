//! What is not a tenant's, calls to another plugin, and hooks that leave a trace.

use std::fs::OpenOptions;
use std::io::Write;

use sea_orm::Schema;
use sea_orm_migration::prelude::*;
use serde_json::{Value, json};
use xcore::prelude::*;

use super::notes::{NewNote, Notes, note};

/// A notice, for all tenants.
pub mod notice {
    #![allow(missing_docs, reason = "columns")]
    use sea_orm::entity::prelude::*;
    use serde::Serialize;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize)]
    #[sea_orm(table_name = "notices")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub text: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The shared tables.
pub struct SharedMigrator;

impl MigratorTrait for SharedMigrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_notices::Migration)]
    }
}

mod m0001_notices {
    use super::*;

    #[derive(DeriveMigrationName)]
    pub(super) struct Migration;

    #[async_trait::async_trait]
    impl MigrationTrait for Migration {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            let schema = Schema::new(manager.get_database_backend());
            manager.create_table(schema.create_table_from_entity(notice::Entity)).await
        }
    }
}

/// The section of `xcore.yaml`.
#[derive(Deserialize, xcore::PluginConfig)]
pub struct DeskConfig {
    /// The file that hooks write a line to; empty for none.
    hook_log: String,
}

/// Speaks to all tenants.
#[xcore::plugin(
    services(db, central),
    config = DeskConfig,
    shared_migrations = SharedMigrator,
    requires(Notes),
)]
pub struct Desk;

impl DeskConfig {
    fn log(&self, line: &str) -> Result<()> {
        if !self.hook_log.is_empty() {
            let mut file = OpenOptions::new().append(true).create(true).open(&self.hook_log)?;
            writeln!(file, "{line}")?;
        }
        Ok(())
    }
}

#[xcore::plugin]
impl Desk {
    /// Post a notice to all tenants.
    #[action(post = "/notices", status = 201)]
    async fn post(&self, ctx: &DeskContext, Json(new): Json<NewNote>) -> Result<Json<notice::Model>> {
        let notice = notice::ActiveModel { text: Set(new.text), ..Default::default() };
        Ok(Json(notice.insert(&ctx.central.db).await?))
    }

    /// All notices, read as the tenant.
    #[action(get = "/notices")]
    async fn notices(&self, ctx: &DeskContext) -> Result<Json<Vec<notice::Model>>> {
        Ok(Json(notice::Entity::find().all(&ctx.db).await?))
    }

    /// What the notes say of themselves, in the caller's tenant.
    #[action(get = "/audit")]
    async fn audit(&self, ctx: &DeskContext) -> Result<Json<Value>> {
        ctx.call::<Notes>().audit().await
    }

    /// A note through another plugin: what fails there fails here with the same status.
    #[action(post = "/relay", status = 201)]
    async fn relay(&self, ctx: &DeskContext, new: Json<NewNote>) -> Result<Json<note::Model>> {
        ctx.call::<Notes>().write(new).await
    }

    #[on(start)]
    async fn started(&self, app: &AppContext<Desk>) -> Result<()> {
        app.config().log("start")
    }

    #[on(stop)]
    async fn stopped(&self, app: &AppContext<Desk>) -> Result<()> {
        app.config().log("stop")
    }

    #[on(tenant_created)]
    async fn created(&self, ctx: &DeskContext) -> Result<()> {
        ctx.config.log(&format!("created {}", ctx.tenant))
    }

    #[on(tenant_deleted)]
    async fn deleted(&self, ctx: &DeskContext) -> Result<()> {
        ctx.config.log(&json!({ "deleted": ctx.tenant.id().as_str() }).to_string())
    }
}
