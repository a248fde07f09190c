//! Applies plugins' migrations to one schema.
//!
//! SeaORM's migrations want a `DatabaseConnection`, so each run opens one of a single session with the names in sight
//! that a handle has, and closes it afterwards. What a migration does to the session ends there. An advisory lock, which
//! the session takes when it is opened, lets one run at a time work on a schema, over all processes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, SqlxPostgresConnector, Statement,
    TransactionTrait, Value,
};
use sea_orm_migration::{MigrationTrait, SchemaManager};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor};

use super::claim::wait_for;
use super::roles::Roles;
use super::schema::lock_key;
use super::target::{Role, Target};
use crate::db::backend::Place;
use crate::db::{DatabaseError, MigrationReport, Migrations};
use crate::faults::{Step, reached};

/// The table of a plugin's applied migrations.
///
/// Shared and tenant migrations have different names, because a tenant that works on the shared schema has both there.
fn table(place: Place<'_>, plugin: &str) -> String {
    match place {
        Place::Tenant(_) | Place::Directory => format!("xcore_migrations_{plugin}"),
        Place::Shared => format!("xcore_shared_migrations_{plugin}"),
    }
}

/// How long a run waits for another one on the same schema.
const PATIENCE: Duration = Duration::from_secs(600);

/// One run.
struct Run {
    database: DatabaseConnection,
    target: Target,
    roles: Arc<Roles>,
    /// A migration that writes elsewhere is rolled back.
    stays_inside: bool,
}

/// Applies what is pending.
pub(super) async fn migrate(
    options: &PgConnectOptions,
    roles: &Arc<Roles>,
    target: Target,
    place: Place<'_>,
    migrations: &[Migrations],
) -> Result<MigrationReport, DatabaseError> {
    let mut report = MigrationReport::default();
    let run = Run::open(options, roles, target, true).await?;
    let result = async {
        for plugin in migrations {
            run.apply(&table(place, plugin.plugin), plugin, &mut report).await?;
        }
        Ok(())
    }
    .await;
    run.close().await;
    result.map(|()| report)
}

/// Runs all migrations on the template, each of which must leave alone what is not of the template.
pub(super) async fn migrate_template(
    options: &PgConnectOptions,
    roles: &Arc<Roles>,
    target: Target,
    migrations: &[Migrations],
) -> Result<(), DatabaseError> {
    let run = Run { stays_inside: true, ..Run::open(options, roles, target, true).await? };
    let mut report = MigrationReport::default();
    let result = async {
        for plugin in migrations {
            run.apply(&table(Place::Directory, plugin.plugin), plugin, &mut report).await?;
        }
        Ok(())
    }
    .await;
    run.close().await;
    result
}

/// What would be applied.
pub(super) async fn pending(
    options: &PgConnectOptions,
    roles: &Arc<Roles>,
    target: Target,
    place: Place<'_>,
    migrations: &[Migrations],
) -> Result<MigrationReport, DatabaseError> {
    let mut report = MigrationReport::default();
    let run = Run::open(options, roles, target, false).await?;
    let result = async {
        for plugin in migrations {
            let applied = run.applied(&run.database, &table(place, plugin.plugin)).await;
            let applied = applied.map_err(|error| failed(plugin, "", error))?;
            let list = plugin.all();
            check_known(plugin, &list, &applied)?;
            let names = list.iter().map(|migration| migration.name()).filter(|name| !applied.contains(*name));
            report.add(plugin.plugin, names.map(str::to_owned).collect());
        }
        Ok(())
    }
    .await;
    run.close().await;
    result.map(|()| report)
}

fn failed(plugin: &Migrations, migration: &str, source: DbErr) -> DatabaseError {
    match DatabaseError::find_in(&source) {
        Some(own @ (DatabaseError::Missing { .. } | DatabaseError::NoTemplate { .. })) => own.clone(),
        _ => DatabaseError::Migration { plugin: plugin.plugin, migration: migration.to_owned(), source },
    }
}

/// An older program must not go on with a schema that a newer one has changed.
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

impl Run {
    async fn open(
        options: &PgConnectOptions,
        roles: &Arc<Roles>,
        target: Target,
        alone: bool,
    ) -> Result<Self, DatabaseError> {
        let role = match roles.role(target) {
            Role::Tenant(role) => format!("; SET ROLE \"{role}\""),
            Role::AsItIs | Role::None | Role::Login(_) => String::new(),
        };
        let path = format!("SET search_path TO {}{role}", target.path());
        let lock = alone.then(|| lock_key(target));
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(PATIENCE)
            // Here, so that a session which had to be opened anew holds the lock as well.
            .after_connect(move |connection, _| {
                let path = path.clone();
                Box::pin(async move {
                    connection.execute(AssertSqlSafe(path)).await?;
                    match lock {
                        Some(lock) => wait_for(connection, lock).await,
                        None => Ok(()),
                    }
                })
            })
            .connect_with(roles.options(options, target).into_owned())
            .await?;
        let database = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
        Ok(Self { database, target, roles: Arc::clone(roles), stays_inside: false })
    }

    async fn close(self) {
        if let Err(error) = self.database.close().await {
            tracing::debug!(%error, "the connection of a migration did not close in order");
        }
    }

    async fn apply(
        &self,
        table: &str,
        plugin: &Migrations,
        report: &mut MigrationReport,
    ) -> Result<(), DatabaseError> {
        let list = plugin.all();
        let before = self.applied(&self.database, table).await.map_err(|error| failed(plugin, "", error))?;
        check_known(plugin, &list, &before)?;
        let mut names = Vec::new();
        for migration in list.iter().filter(|migration| !before.contains(migration.name())) {
            let name = migration.name().to_owned();
            let ran = if migration.use_transaction() == Some(false) {
                self.without_transaction(table, migration.as_ref()).await
            } else {
                self.in_transaction(table, migration.as_ref()).await
            };
            ran.map_err(|error| failed(plugin, &name, error))?;
            tracing::info!(plugin = plugin.plugin, migration = name, "migration applied");
            if matches!(self.target, Target::Tenant(_)) {
                reached(Step::CreateMigrationApplied);
            }
            names.push(name);
        }
        report.add(plugin.plugin, names);
        Ok(())
    }

    /// Runs a migration and its record as one.
    async fn in_transaction(&self, table: &str, migration: &dyn MigrationTrait) -> Result<(), DbErr> {
        self.stand().await?;
        let transaction = self.database.begin().await?;
        self.create_table(&transaction, table).await?;
        migration.up(&SchemaManager::new(&transaction)).await?;
        self.record(&transaction, table, migration.name()).await?;
        if self.stays_inside {
            self.check_inside(&transaction, migration.name()).await?;
        }
        transaction.commit().await
    }

    async fn without_transaction(&self, table: &str, migration: &dyn MigrationTrait) -> Result<(), DbErr> {
        self.stand().await?;
        self.create_table(&self.database, table).await?;
        migration.up(&SchemaManager::new(&self.database)).await?;
        self.record(&self.database, table, migration.name()).await
    }

    /// Whoever writes rows of a table holds a lock of this kind until the end of the transaction.
    async fn check_inside<C: ConnectionTrait>(&self, connection: &C, migration: &str) -> Result<(), DbErr> {
        let elsewhere = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT 1 FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE l.pid = pg_catalog.pg_backend_pid() AND l.mode = 'RowExclusiveLock' AND n.nspname <> $1 AND n.nspname !~ '^pg_'
               AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) LIMIT 1",
            [Value::from(self.target.schema())],
        );
        match connection.query_one_raw(elsewhere).await? {
            Some(_) => {
                let why = "writes to tables that are not the tenant's";
                Err(DatabaseError::NoTemplate { migration: migration.to_owned(), why }.into())
            }
            None => Ok(()),
        }
    }

    /// A migration before this one may have moved the session.
    ///
    /// I5: the schema may have been dropped while this run waited for the lock, and then what a migration makes would go to
    /// `public`. While the lock is held nobody of this framework drops it.
    async fn stand(&self) -> Result<(), DbErr> {
        self.database.execute_unprepared("RESET ROLE").await?;
        let moved =
            Statement::from_string(DbBackend::Postgres, self.target.switch(&self.roles.role(self.target)));
        match (self.database.query_one_raw(moved).await?, self.target) {
            (Some(_), _) => Ok(()),
            (None, Target::Tenant(tenant)) => Err(DatabaseError::Missing { tenant }.into()),
            (None, _) => Err(DatabaseError::OddShared { problem: "its schema is missing" }.into()),
        }
    }

    /// The table's own schema is named: a record must never go to another one.
    fn named(&self, table: &str) -> String {
        format!("\"{}\".\"{}\"", self.target.schema(), table.replace('"', "\"\""))
    }

    async fn create_table<C: ConnectionTrait>(&self, connection: &C, table: &str) -> Result<(), DbErr> {
        if self.has_table(connection, table).await? {
            return Ok(());
        }
        let text = format!(
            "CREATE TABLE {} (version TEXT NOT NULL PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())",
            self.named(table)
        );
        connection.execute_unprepared(&text).await?;
        if self.target == Target::Public && self.roles.are_used() {
            // What was applied to the shared tables is nothing that a tenant may change.
            let text = format!("REVOKE ALL ON {} FROM \"{}\"", self.named(table), self.roles.group());
            connection.execute_unprepared(&text).await?;
        }
        Ok(())
    }

    async fn has_table<C: ConnectionTrait>(&self, connection: &C, table: &str) -> Result<bool, DbErr> {
        let exists = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = $2",
            [Value::from(self.target.schema()), Value::from(table)],
        );
        Ok(connection.query_one_raw(exists).await?.is_some())
    }

    /// The names of the applied migrations. Without a table there are none.
    async fn applied<C: ConnectionTrait>(
        &self,
        connection: &C,
        table: &str,
    ) -> Result<HashSet<String>, DbErr> {
        if !self.has_table(connection, table).await? {
            return Ok(HashSet::new());
        }
        let text = format!("SELECT version FROM {}", self.named(table));
        let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, text)).await?;
        rows.into_iter().map(|row| row.try_get_by_index(0)).collect()
    }

    async fn record<C: ConnectionTrait>(&self, connection: &C, table: &str, name: &str) -> Result<(), DbErr> {
        let text = format!("INSERT INTO {} (version) VALUES ($1)", self.named(table));
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, text, [Value::from(name)]);
        connection.execute_raw(statement).await.map(drop)
    }
}
