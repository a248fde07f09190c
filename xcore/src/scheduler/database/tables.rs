//! The tables of jobs and runs, beside those of the tenants.

use sea_orm::sea_query::{
    ColumnDef, ConditionalStatement, Expr, ExprTrait, ForeignKey, ForeignKeyAction, Iden, Index,
    IndexCreateStatement, Table,
};
use sea_orm::{DbErr, DeriveIden};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

/// Makes the tables.
pub(crate) struct JobTables;

impl MigrationName for JobTables {
    fn name(&self) -> &str {
        "m0005_jobs"
    }
}

/// Adds how often a run has failed, and whether it may be tried again.
pub(crate) struct RetryColumn;

impl MigrationName for RetryColumn {
    fn name(&self) -> &str {
        "m0006_retries"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for RetryColumn {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let failures = number(Runs::Failures).default(0).to_owned();
        // One statement each: SQLite adds one column at a time.
        for column in [failures, small(Runs::IsLast)] {
            manager.alter_table(Table::alter().table(Runs::Table).add_column(column).to_owned()).await?;
        }
        Ok(())
    }
}

/// Adds how often a job was added to an owner that may have so many.
pub(crate) struct AddedColumn;

impl MigrationName for AddedColumn {
    fn name(&self) -> &str {
        "m0007_added_jobs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for AddedColumn {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let additions = number(Owners::Additions).default(0).to_owned();
        manager.alter_table(Table::alter().table(Owners::Table).add_column(additions).to_owned()).await
    }
}

/// Who may have jobs. Without a row here nothing of an owner can be stored, and with it everything of the owner goes.
#[derive(DeriveIden)]
enum Owners {
    #[sea_orm(iden = "xcore_job_owners")]
    Table,
    Owner,
    Life,
    Additions,
    Resting,
}

#[derive(DeriveIden)]
enum Jobs {
    #[sea_orm(iden = "xcore_jobs")]
    Table,
    Owner,
    Id,
    Plugin,
    Method,
    Schedule,
    Once,
    Rules,
    Overlap,
    Declared,
    Paused,
    Due,
    LastTick,
}

#[derive(DeriveIden)]
enum Runs {
    #[sea_orm(iden = "xcore_runs")]
    Table,
    Number,
    Owner,
    Job,
    Tick,
    Plugin,
    Method,
    Overlap,
    State,
    RunAt,
    Holder,
    Token,
    LeaseUntil,
    Losses,
    Failures,
    IsLast,
    StartedAt,
    EndedAt,
    Outcome,
    Error,
}

fn text(name: impl Iden + 'static) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}

fn number(name: impl Iden + 'static) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

fn small(name: impl Iden + 'static) -> ColumnDef {
    ColumnDef::new(name).small_integer().not_null().default(0).to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for JobTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let owners = Table::create()
            .table(Owners::Table)
            .col(text(Owners::Owner).primary_key())
            .col(number(Owners::Life))
            .col(small(Owners::Resting))
            .to_owned();
        manager.create_table(owners).await?;
        let jobs = Table::create()
            .table(Jobs::Table)
            .col(text(Jobs::Owner))
            .col(text(Jobs::Id))
            .col(text(Jobs::Plugin))
            .col(text(Jobs::Method))
            .col(text(Jobs::Schedule))
            .col(small(Jobs::Once))
            .col(text(Jobs::Rules))
            .col(text(Jobs::Overlap))
            .col(small(Jobs::Declared))
            .col(small(Jobs::Paused))
            .col(number(Jobs::Due).null())
            .col(number(Jobs::LastTick).null())
            .primary_key(Index::create().col(Jobs::Owner).col(Jobs::Id))
            .foreign_key(
                ForeignKey::create()
                    .from(Jobs::Table, Jobs::Owner)
                    .to(Owners::Table, Owners::Owner)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(jobs).await?;
        let mut run = ColumnDef::new(Runs::Number);
        run.big_integer().not_null().auto_increment().primary_key();
        let runs = Table::create()
            .table(Runs::Table)
            .col(run)
            .col(text(Runs::Owner))
            .col(text(Runs::Job))
            .col(number(Runs::Tick))
            .col(text(Runs::Plugin))
            .col(text(Runs::Method))
            .col(text(Runs::Overlap))
            .col(small(Runs::State))
            .col(number(Runs::RunAt))
            .col(text(Runs::Holder).null())
            .col(number(Runs::Token).default(0))
            .col(number(Runs::LeaseUntil).null())
            .col(number(Runs::Losses).default(0))
            .col(number(Runs::StartedAt).null())
            .col(number(Runs::EndedAt).null())
            .col(text(Runs::Outcome).null())
            .col(text(Runs::Error).null())
            .foreign_key(
                ForeignKey::create()
                    .from(Runs::Table, Runs::Owner)
                    .to(Owners::Table, Owners::Owner)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(runs).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// What is looked for often is little, and has an index of its own.
fn indexes() -> [IndexCreateStatement; 6] {
    let of_runs = |name: &str| Index::create().name(name).table(Runs::Table).to_owned();
    [
        Index::create().name("xcore_jobs_due").table(Jobs::Table).col(Jobs::Due).to_owned(),
        // One run a tick, whoever makes it.
        of_runs("xcore_runs_tick").col(Runs::Owner).col(Runs::Job).col(Runs::Tick).unique().to_owned(),
        of_runs("xcore_runs_ready").col(Runs::RunAt).and_where(Expr::col(Runs::State).eq(0)).to_owned(),
        of_runs("xcore_runs_leases").col(Runs::LeaseUntil).and_where(Expr::col(Runs::State).eq(1)).to_owned(),
        of_runs("xcore_runs_open")
            .col(Runs::Owner)
            .col(Runs::Job)
            .and_where(Expr::col(Runs::State).lt(2))
            .to_owned(),
        of_runs("xcore_runs_ended").col(Runs::EndedAt).and_where(Expr::col(Runs::State).eq(2)).to_owned(),
    ]
}
