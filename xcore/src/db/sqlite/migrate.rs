//! Applies migrations to one file.
//!
//! SeaORM's migrations want a connection of SeaORM's own, so each run opens one, on the same file with the same names in
//! sight, and closes it afterwards. What a migration does to the session ends there.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, SqliteTransactionMode, SqlxSqliteConnector,
    Statement, TransactionOptions, TransactionTrait, Value,
};
use sea_orm_migration::{MigrationTrait, SchemaManager};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{AssertSqlSafe, Executor};

use super::claim::Claim;
use super::connection::Target;
use super::file::OpenFile;
use super::layout::Layout;
use crate::db::backend::Place;
use crate::db::{DatabaseError, MigrationReport, Migrations};
use crate::faults::{Step, reached};

/// The table of a plugin's applied migrations.
///
/// Shared and tenant migrations have different names, because a tenant that works on the shared file has both there.
fn table(place: Place<'_>, plugin: &str) -> String {
    match place {
        Place::Tenant(_) | Place::Directory => format!("xcore_migrations_{plugin}"),
        Place::Shared => format!("xcore_shared_migrations_{plugin}"),
    }
}

/// A name of the file itself. Without `main.`, a table that the tenant lacks would be read from the shared file.
fn in_main(table: &str) -> String {
    format!("main.\"{}\"", table.replace('"', "\"\""))
}

/// Applies what is pending.
pub(super) async fn migrate(
    file: &OpenFile,
    layout: &Layout,
    place: Place<'_>,
    migrations: &[Migrations],
) -> Result<MigrationReport, DatabaseError> {
    let mut report = MigrationReport::default();
    let database = connect(&file.target).await?;
    let result = async {
        for plugin in migrations {
            apply(&database, file, layout, &table(place, plugin.plugin), plugin, &mut report).await?;
        }
        Ok(())
    }
    .await;
    file.schema_changed();
    close(database).await;
    result.map(|()| report)
}

/// What would be applied.
pub(super) async fn pending(
    target: &Target,
    place: Place<'_>,
    migrations: &[Migrations],
) -> Result<MigrationReport, DatabaseError> {
    let mut report = MigrationReport::default();
    let database = connect(target).await?;
    let result = async {
        for plugin in migrations {
            let applied =
                applied(&database, &table(place, plugin.plugin)).await.map_err(|e| failed(plugin, "", e))?;
            let list = plugin.all();
            check_known(plugin, &list, &applied)?;
            let names = list.iter().map(|migration| migration.name()).filter(|name| !applied.contains(*name));
            report.add(plugin.plugin, names.map(str::to_owned).collect());
        }
        Ok(())
    }
    .await;
    close(database).await;
    result.map(|()| report)
}

async fn connect(target: &Target) -> Result<DatabaseConnection, DatabaseError> {
    target.check()?;
    let attach = target.attach();
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        // One statement after the other; the driver's own check before each would double their number.
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let attach = attach.clone();
            Box::pin(async move {
                if let Some(attach) = attach {
                    connection.execute(AssertSqlSafe(attach)).await?;
                }
                Ok(())
            })
        })
        .connect_with(target.options())
        .await?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

async fn close(database: DatabaseConnection) {
    if let Err(error) = database.close().await {
        tracing::debug!(%error, "the connection of a migration did not close in order");
    }
}

fn failed(plugin: &Migrations, migration: &str, source: DbErr) -> DatabaseError {
    DatabaseError::Migration { plugin: plugin.plugin, migration: migration.to_owned(), source }
}

async fn apply(
    database: &DatabaseConnection,
    file: &OpenFile,
    layout: &Layout,
    table: &str,
    plugin: &Migrations,
    report: &mut MigrationReport,
) -> Result<(), DatabaseError> {
    let list = plugin.all();
    let before = applied(database, table).await.map_err(|error| failed(plugin, "", error))?;
    check_known(plugin, &list, &before)?;
    let mut names = Vec::new();
    for migration in list.iter().filter(|migration| !before.contains(migration.name())) {
        let name = migration.name().to_owned();
        // In line with the writers of this process; SQLite's own lock and the claim keep other processes out.
        let _writer = file.writer.acquire().await.map_err(|_closed| DatabaseError::Closed)?;
        let ran = if migration.use_transaction() == Some(false) {
            let claim = claim(layout, file).await?;
            let ran = without_transaction(database, table, migration.as_ref()).await;
            drop(claim);
            ran
        } else {
            in_transaction(database, table, migration.as_ref()).await
        };
        match ran {
            Ok(true) => {
                tracing::info!(plugin = plugin.plugin, migration = name, "migration applied");
                if file.target.tenant.is_some() {
                    reached(Step::CreateMigrationApplied);
                }
                names.push(name);
            }
            // Somebody else was faster.
            Ok(false) => {}
            Err(Fault::Attached) => {
                return Err(DatabaseError::MigrationAttached { plugin: plugin.plugin, migration: name });
            }
            Err(Fault::Database(error)) => return Err(failed(plugin, &name, error)),
        }
    }
    report.add(plugin.plugin, names);
    Ok(())
}

async fn claim(layout: &Layout, file: &OpenFile) -> Result<Claim, DatabaseError> {
    let (layout, wait) = (layout.clone(), file.limits.drain_timeout);
    match tokio::task::spawn_blocking(move || Claim::change_files(&layout, wait)).await {
        Ok(claim) => claim,
        Err(_stopped) => Err(DatabaseError::Closed),
    }
}

/// An older program must not go on with a database that a newer one has changed.
fn check_known(
    plugin: &Migrations,
    list: &[Box<dyn MigrationTrait>],
    applied: &HashSet<String>,
) -> Result<(), DatabaseError> {
    let known: HashSet<_> = list.iter().map(|migration| migration.name()).collect();
    let mut names: Vec<_> = applied.iter().filter(|name| !known.contains(name.as_str())).cloned().collect();
    if names.is_empty() {
        return Ok(());
    }
    names.sort_unstable();
    Err(DatabaseError::UnknownMigrations { plugin: plugin.plugin, names })
}

enum Fault {
    Database(DbErr),
    Attached,
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

/// Runs a migration and its record as one. Returns false when it is applied already.
async fn in_transaction(
    database: &DatabaseConnection,
    table: &str,
    migration: &dyn MigrationTrait,
) -> Result<bool, Fault> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    let transaction = database.begin_with_options(options).await?;
    create_table(&transaction, table).await?;
    if applied(&transaction, table).await?.contains(migration.name()) {
        transaction.rollback().await?;
        return Ok(false);
    }
    let names = attached(&transaction).await?;
    migration.up(&SchemaManager::new(&transaction)).await?;
    if attached(&transaction).await? != names {
        transaction.rollback().await?;
        return Err(Fault::Attached);
    }
    record(&transaction, table, migration.name()).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn without_transaction(
    database: &DatabaseConnection,
    table: &str,
    migration: &dyn MigrationTrait,
) -> Result<bool, Fault> {
    create_table(database, table).await?;
    if applied(database, table).await?.contains(migration.name()) {
        return Ok(false);
    }
    let names = attached(database).await?;
    migration.up(&SchemaManager::new(database)).await?;
    if attached(database).await? != names {
        return Err(Fault::Attached);
    }
    record(database, table, migration.name()).await?;
    Ok(true)
}

/// Which databases the connection has in sight, apart from the one for temporary tables.
async fn attached<C: ConnectionTrait>(connection: &C) -> Result<Vec<String>, DbErr> {
    let text = "SELECT name || ' ' || file FROM pragma_database_list WHERE name <> 'temp' ORDER BY seq";
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Sqlite, text)).await?;
    rows.into_iter().map(|row| row.try_get_by_index(0)).collect()
}

async fn create_table<C: ConnectionTrait>(connection: &C, table: &str) -> Result<(), DbErr> {
    let text = format!(
        "CREATE TABLE IF NOT EXISTS {} (version TEXT NOT NULL PRIMARY KEY, applied_at INTEGER NOT NULL)",
        in_main(table)
    );
    connection.execute_unprepared(&text).await.map(drop)
}

/// The names of the applied migrations. Without a table there are none.
async fn applied<C: ConnectionTrait>(connection: &C, table: &str) -> Result<HashSet<String>, DbErr> {
    let exists = Statement::from_sql_and_values(
        DbBackend::Sqlite,
        "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?",
        [Value::from(table)],
    );
    if connection.query_one_raw(exists).await?.is_none() {
        return Ok(HashSet::new());
    }
    let text = format!("SELECT version FROM {}", in_main(table));
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Sqlite, text)).await?;
    rows.into_iter().map(|row| row.try_get_by_index(0)).collect()
}

async fn record<C: ConnectionTrait>(connection: &C, table: &str, name: &str) -> Result<(), DbErr> {
    // A clock before 1970 is no reason to fail; the time is for people.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let text = format!("INSERT INTO {} (version, applied_at) VALUES (?, ?)", in_main(table));
    let values = [Value::from(name), Value::from(i64::try_from(now).unwrap_or(i64::MAX))];
    connection.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, text, values)).await.map(drop)
}
