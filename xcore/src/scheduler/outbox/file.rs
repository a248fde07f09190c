//! The outbox in a tenant's file.

use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait, Value};

use super::server::{read, unavailable};
use super::{AT_ONCE, Outbox};
use crate::db::{TenantDb, Transaction};
use crate::scheduler::SchedulerError;
use crate::scheduler::job::Owner;
use crate::scheduler::queue::Queued;
use crate::tenancy::Tenant;

/// In the tenant's own file the name and the life of a row say nothing: the file is the tenant's, also by another name. They count in
/// a file that tenants share.
const TABLE: &str = "\
    CREATE TABLE IF NOT EXISTS main.xcore_outbox (
        number INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, life INTEGER NOT NULL, id TEXT NOT NULL,
        tick INTEGER NOT NULL, plugin TEXT NOT NULL, method TEXT NOT NULL, arguments TEXT
    )";

const IS_THERE: &str = "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'xcore_outbox'";

fn statement(text: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, text, values)
}

pub(super) async fn put(
    transaction: &Transaction,
    tenant: &Tenant,
    run: &Queued,
) -> Result<(), SchedulerError> {
    if transaction.query_one_raw(statement(IS_THERE, [])).await.map_err(unavailable)?.is_none() {
        transaction.execute_raw(statement(TABLE, [])).await.map_err(unavailable)?;
    }
    let text = "\
        INSERT INTO main.xcore_outbox (tenant, life, id, tick, plugin, method, arguments) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    transaction
        .execute_raw(statement(text, super::server::values(tenant, run)))
        .await
        .map_err(unavailable)?;
    Ok(())
}

impl Outbox {
    /// Brings what is in the file of a tenant into line. Gives whether there is nothing left.
    pub(super) async fn drain_file(&self, tenant: &Tenant) -> Result<bool, SchedulerError> {
        let file = self.servers.tenant(tenant);
        let is_own = self.isolates_data && !tenant.id().is_public();
        loop {
            if file.query_one_raw(statement(IS_THERE, [])).await.map_err(unavailable)?.is_none() {
                return Ok(true);
            }
            let of = if is_own { "" } else { "WHERE tenant = $1" };
            let text = format!(
                "SELECT number, tenant, life, id, tick, plugin, method, arguments FROM main.xcore_outbox {of}
                ORDER BY number LIMIT {AT_ONCE}"
            );
            let name: Vec<Value> = if is_own { Vec::new() } else { vec![tenant.id().as_str().into()] };
            let rows = file.query_all_raw(statement(text, name)).await.map_err(unavailable)?;
            if rows.is_empty() {
                return Ok(true);
            }
            let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            let numbers: Vec<String> = rows.iter().map(|row| row.number.to_string()).collect();
            let owner = if self.isolates_jobs { Owner::Tenant(*tenant.id()) } else { Owner::Shared };
            let runs: Vec<Queued> = rows
                .into_iter()
                // Of a tenant that had the name before.
                .filter(|row| is_own || row.life == tenant.life())
                .map(|row| {
                    let life = self.isolates_jobs.then(|| tenant.life());
                    self.run_of(row, owner, life)
                })
                .collect();
            self.queue.push(runs).await?;
            if self.dies_here() {
                return Ok(false);
            }
            let text = format!("DELETE FROM main.xcore_outbox WHERE number IN ({})", numbers.join(", "));
            file.execute_raw(statement(text, [])).await.map_err(unavailable)?;
        }
    }

    /// Takes the mark of a tenant back, if its file holds nothing.
    pub(super) async fn settle_file(&self, tenant: &Tenant) -> Result<(), SchedulerError> {
        let file: TenantDb = self.servers.tenant(tenant);
        // Waits for whoever writes: a commit that nobody awaits has come through by then.
        let alone = file.begin().await.map_err(unavailable)?;
        let is_there = alone.query_one_raw(statement(IS_THERE, [])).await.map_err(unavailable)?.is_some();
        let is_empty = !is_there
            || alone
                .query_one_raw(statement("SELECT 1 FROM main.xcore_outbox LIMIT 1", []))
                .await
                .map_err(unavailable)?
                .is_none();
        if is_empty {
            self.marks.take_back(self.queue.as_ref(), tenant.id()).await?;
        }
        alone.rollback().await.map_err(unavailable)
    }
}
