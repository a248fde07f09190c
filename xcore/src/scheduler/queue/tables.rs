//! What the tables of jobs and runs have beside their first columns: arguments, what is queued, and which tenants may have work in
//! their own files.

use sea_orm::sea_query::{ColumnDef, ConditionalStatement, Expr, ExprTrait, Iden, Index, Table};
use sea_orm::{DbErr, DeriveIden};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

/// Adds them.
pub(crate) struct QueueTables;

impl MigrationName for QueueTables {
    fn name(&self) -> &str {
        "m0006_queue"
    }
}

#[derive(DeriveIden)]
enum Jobs {
    #[sea_orm(iden = "xcore_jobs")]
    Table,
    Arguments,
}

#[derive(DeriveIden)]
enum Runs {
    #[sea_orm(iden = "xcore_runs")]
    Table,
    Owner,
    Job,
    State,
    Arguments,
    Queued,
}

#[derive(DeriveIden)]
enum Marks {
    #[sea_orm(iden = "xcore_outbox_marks")]
    Table,
    Tenant,
}

fn arguments(name: impl Iden + 'static) -> ColumnDef {
    ColumnDef::new(name).text().null().to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for QueueTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let jobs = Table::alter().table(Jobs::Table).add_column(arguments(Jobs::Arguments)).to_owned();
        manager.alter_table(jobs).await?;
        let runs = Table::alter().table(Runs::Table).add_column(arguments(Runs::Arguments)).to_owned();
        manager.alter_table(runs).await?;
        let mut queued = ColumnDef::new(Runs::Queued);
        queued.small_integer().not_null().default(0);
        manager.alter_table(Table::alter().table(Runs::Table).add_column(queued).to_owned()).await?;
        let dead = Index::create()
            .name("xcore_runs_dead")
            .table(Runs::Table)
            .col(Runs::Owner)
            .col(Runs::Job)
            .and_where(Expr::col(Runs::State).eq(3))
            .to_owned();
        manager.create_index(dead).await?;
        let mut tenant = ColumnDef::new(Marks::Tenant);
        tenant.text().not_null().primary_key();
        manager.create_table(Table::create().table(Marks::Table).col(tenant).to_owned()).await
    }
}
