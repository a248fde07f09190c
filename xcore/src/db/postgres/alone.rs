//! A statement that is by itself: outside of a transaction, on a session of its own or on a pinned one.

use futures_util::StreamExt;
use sea_orm::DbErr;

use super::lease::Lease;
use super::run;
use super::target::Target;
use super::text::{Verdict, judge};
use crate::db::DatabaseError;
use crate::db::backend::Sql;
use crate::db::rows::Table;

/// A text that controls a transaction must be one that gives no rows, so that what it left open is found.
pub(super) fn verdict_of_query(sql: &Sql) -> Result<Verdict, DatabaseError> {
    match judge(&sql.text) {
        Verdict { transaction: true, .. } => {
            Err(DatabaseError::Refused { reason: "a query cannot begin or end a transaction; use begin()" })
        }
        verdict => Ok(verdict),
    }
}

/// Runs a statement with `run::$run`.
///
/// A plan that has outlived its tables is forgotten and the statement run once more; nothing of it was done. A table that
/// is not found may be missing with its schema, which is then the error (I5).
macro_rules! alone {
    ($lease:expr, $sql:expr, $verdict:expr, $run:ident) => {{
        use $crate::db::DatabaseError;
        use $crate::db::postgres::{run, target::Target};

        let target = $lease.target();
        let mut result = run::$run($lease.start($verdict).await?, &$sql, target).await;
        $lease.finish(result.as_ref().err());
        if result.as_ref().is_err_and(run::is_stale_plan) {
            $lease.forget_plans().await?;
            result = run::$run($lease.start($verdict).await?, &$sql, target).await;
            $lease.finish(result.as_ref().err());
        }
        if let (Target::Tenant(tenant) | Target::Copy(tenant, _), Err(error)) = (target, &result)
            && run::is_undefined_table(error)
            && $lease.is_missing().await
        {
            result = Err(DatabaseError::Missing { tenant }.into());
        }
        result
    }};
}
pub(super) use alone;

/// The same for rows one by one.
pub(super) async fn stream_alone(lease: &mut Lease, sql: Sql, verdict: Verdict, table: Table) {
    let target = lease.target();
    if let Err(error) = stream_rows(lease, &sql, verdict, target, &table).await {
        table.put(Err(error)).await;
    }
}

/// The rows, as `target` has them. An error is put on the table like a row, unless it came before all rows: that is returned.
pub(super) async fn stream_rows(
    lease: &mut Lease,
    sql: &Sql,
    verdict: Verdict,
    target: Target,
    table: &Table,
) -> Result<(), DbErr> {
    let mut failed = stream_once(lease, sql, verdict, target, table).await?;
    if failed.as_ref().is_some_and(run::is_stale_plan) {
        lease.forget_plans().await?;
        failed = stream_once(lease, sql, verdict, target, table).await?;
    }
    failed.map_or(Ok(()), Err)
}

/// The same without another try. Gives what failed before all rows.
pub(super) async fn stream_once(
    lease: &mut Lease,
    sql: &Sql,
    verdict: Verdict,
    target: Target,
    table: &Table,
) -> Result<Option<DbErr>, DbErr> {
    let mut first = true;
    let mut failed = None;
    let mut rows = run::stream(lease.start(verdict).await?, sql, target);
    while let Some(row) = rows.next().await {
        failed = row.as_ref().err().cloned();
        if first && failed.is_some() {
            break;
        }
        first = false;
        table.put(row).await;
    }
    drop(rows);
    lease.finish(failed.as_ref());
    Ok(failed.filter(|_| first))
}

impl Lease {
    /// The result of a statement, or an error when it has left a transaction open, which is then undone.
    pub(super) async fn without_transaction<T>(
        &mut self,
        verdict: Verdict,
        result: Result<T, DbErr>,
    ) -> Result<T, DbErr> {
        if !(verdict.transaction || verdict.unclear) || !self.left_open().await {
            return result;
        }
        // Here and not with the loan's end: a pinned session goes on.
        self.control("ROLLBACK").await?;
        self.end_transaction();
        match result {
            Ok(_) => Err(DatabaseError::TransactionLeftOpen.into()),
            failed => failed,
        }
    }
}
