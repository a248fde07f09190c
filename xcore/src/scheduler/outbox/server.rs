//! The outbox of a PostgreSQL server: one table for all tenants on it.

use chrono::DateTime;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

use super::{AT_ONCE, Outbox};
use crate::db::{Database, Migrations, Transaction};
use crate::scheduler::job::{JobKey, Owner};
use crate::scheduler::queue::Queued;
use crate::scheduler::{JobArguments, JobCall, SchedulerError};
use crate::tenancy::{Tenant, TenantId};

/// The tables on each server, the first one and the others.
struct Tables;

impl MigratorTrait for Tables {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(First)]
    }
}

struct First;

impl MigrationName for First {
    fn name(&self) -> &str {
        "m0001_outbox"
    }
}

/// Whoever owns a schema may write rows of its name, and read none: with `tenancy.db_role` each tenant's role owns the schema of its
/// tenant, and without, the app's login does all of it, to whom the table belongs. In a schema of its own, so that nobody gets a right
/// to the schema of the directory.
const TABLE: &str = "
    CREATE SCHEMA IF NOT EXISTS xcore_outbox;
    CREATE TABLE IF NOT EXISTS xcore_outbox.queue (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text NOT NULL, life bigint NOT NULL, id text NOT NULL,
        tick bigint NOT NULL, plugin text NOT NULL, method text NOT NULL, arguments text
    );
    ALTER TABLE xcore_outbox.queue ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own_rows ON xcore_outbox.queue FOR INSERT WITH CHECK (EXISTS (
        SELECT 1 FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname = tenant AND pg_catalog.pg_get_userbyid(n.nspowner) = current_user
    ));
    GRANT USAGE ON SCHEMA xcore_outbox TO PUBLIC;
    GRANT INSERT ON xcore_outbox.queue TO PUBLIC";

#[async_trait::async_trait]
impl MigrationTrait for First {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(TABLE).await.map(drop)
    }
}

pub(super) fn unavailable(source: DbErr) -> SchedulerError {
    SchedulerError::Unavailable { source: Box::new(source) }
}

fn statement(text: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, text, values)
}

/// Makes the table, if there is none.
pub(crate) async fn prepare(database: &Database) -> Result<(), SchedulerError> {
    let migrated = database.migrate_directory(&[Migrations::of::<Tables>("outbox")]).await;
    migrated.map(drop).map_err(|source| SchedulerError::Unavailable { source: Box::new(source) })
}

/// Plain and named in full, so it goes with whatever session and path the transaction has.
pub(crate) const PUT: &str = "\
    INSERT INTO xcore_outbox.queue (tenant, life, id, tick, plugin, method, arguments) VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// What a row says, in the order of its columns.
pub(super) fn values(tenant: &Tenant, run: &Queued) -> [Value; 7] {
    [
        tenant.id().as_str().into(),
        tenant.life().into(),
        run.key.id.to_string().into(),
        run.at.timestamp_millis().into(),
        run.call.plugin.to_string().into(),
        run.call.job.to_string().into(),
        run.call.arguments.as_stored().map(str::to_owned).into(),
    ]
}

pub(super) async fn put(
    transaction: &Transaction,
    tenant: &Tenant,
    run: &Queued,
) -> Result<(), SchedulerError> {
    transaction.execute_raw(statement(PUT, values(tenant, run))).await.map_err(unavailable)?;
    Ok(())
}

/// Gives a tenant the rows that it has written by another name.
pub(super) async fn hand_over(
    database: &Database,
    (from, from_life): (&TenantId, i64),
    (to, life): (&TenantId, i64),
) -> Result<(), SchedulerError> {
    let text = "UPDATE xcore_outbox.queue SET tenant = $1, life = $2 WHERE tenant = $3 AND life = $4";
    let values = [to.as_str().into(), life.into(), from.as_str().into(), from_life.into()];
    database.directory().execute_raw(statement(text, values)).await.map_err(unavailable)?;
    Ok(())
}

/// A row.
pub(super) struct Row {
    pub(super) number: i64,
    tenant: String,
    pub(super) life: i64,
    id: String,
    tick: i64,
    call: JobCall,
}

pub(super) fn read(row: &QueryResult) -> Result<Row, SchedulerError> {
    let text = |column: &str| row.try_get::<String>("", column).map_err(unavailable);
    let number = |column: &str| row.try_get::<i64>("", column).map_err(unavailable);
    let arguments = row.try_get("", "arguments").map_err(unavailable)?;
    Ok(Row {
        number: number("number")?,
        tenant: text("tenant")?,
        life: number("life")?,
        id: text("id")?,
        tick: number("tick")?,
        call: JobCall {
            arguments: JobArguments::from_stored(arguments),
            ..JobCall::new(text("plugin")?, text("method")?)
        },
    })
}

impl Outbox {
    pub(super) fn run_of(&self, row: Row, owner: Owner, life: Option<i64>) -> Queued {
        let at = DateTime::from_timestamp_millis(row.tick).unwrap_or_default();
        #[cfg(test)]
        let row = if self.mutants.forgets_keys.load(std::sync::atomic::Ordering::Relaxed) {
            Row { id: format!("{}{}", row.id, chrono::Utc::now().timestamp_nanos_opt().unwrap_or(0)), ..row }
        } else {
            row
        };
        Queued { key: JobKey { owner, id: row.id.into() }, life, call: row.call, at }
    }

    /// A test lets the process die between the two databases.
    pub(super) fn dies_here(&self) -> bool {
        crate::faults::reached(crate::faults::Step::OutboxBrought);
        #[cfg(test)]
        return self.mutants.dies_between.load(std::sync::atomic::Ordering::Relaxed);
        #[cfg(not(test))]
        false
    }

    /// Brings what is on a server into line.
    pub(super) async fn drain_server(&self, database: &Database) -> Result<(), SchedulerError> {
        let server = database.directory();
        // Rows that have to wait do not hold up those behind them.
        let mut after = 0_i64;
        loop {
            let text = format!(
                "SELECT number, tenant, life, id, tick, plugin, method, arguments FROM xcore_outbox.queue
                WHERE number > $1 ORDER BY number LIMIT {AT_ONCE}"
            );
            let rows = server.query_all_raw(statement(text, [after.into()])).await.map_err(unavailable)?;
            let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.number;
            let owner = |row: &Row| {
                let tenant = TenantId::parse(&row.tenant).ok()?;
                Some(if self.isolates_jobs { Owner::Tenant(tenant) } else { Owner::Shared })
            };
            let owners: std::collections::BTreeSet<Owner> = rows.iter().filter_map(&owner).collect();
            let lives: std::collections::HashMap<Owner, i64> =
                self.queue.lives(owners.into_iter().collect()).await?.into_iter().collect();
            let (mut runs, mut gone) = (Vec::new(), Vec::new());
            for row in rows {
                let known = owner(&row).and_then(|owner| Some((owner, *lives.get(&owner)?)));
                // Of a tenant whose jobs this store does not know yet in this life.
                if matches!(known, Some((Owner::Tenant(_), life)) if life < row.life) {
                    continue;
                }
                gone.push((row.number, row.tenant.clone()));
                // Others are of a tenant that is gone: of an earlier life, or without an owner.
                if let Some((owner, life)) = known
                    && (owner == Owner::Shared || life == row.life)
                {
                    let life = self.isolates_jobs.then_some(row.life);
                    runs.push(self.run_of(row, owner, life));
                }
            }
            if !runs.is_empty() {
                self.queue.push(runs).await?;
            }
            if self.dies_here() {
                return Ok(());
            }
            let (numbers, tenants): (Vec<i64>, Vec<String>) = gone.into_iter().unzip();
            // Not what somebody has renamed meanwhile: that was brought by a name that goes.
            let text = "\
                DELETE FROM xcore_outbox.queue AS q
                USING pg_catalog.json_array_elements_text(CAST($1 AS json)) WITH ORDINALITY AS n (number, place),
                    pg_catalog.json_array_elements_text(CAST($2 AS json)) WITH ORDINALITY AS t (tenant, place)
                WHERE n.place = t.place AND q.number = CAST(n.number AS bigint) AND q.tenant = t.tenant";
            let values = [super::relay::json(&numbers)?, super::relay::json(&tenants)?];
            server.execute_raw(statement(text, values)).await.map_err(unavailable)?;
        }
    }
}
