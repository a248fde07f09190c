//! Statements of a unit of work, and a transaction of the user's.

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use sea_orm::{DbErr, ExecResult, QueryResult, TransactionOptions};

use super::super::run;
use super::super::switch::Kept;
use super::super::text::{Verdict, judge};
use super::unit::Unit;
use crate::db::DatabaseError;
#[cfg(feature = "schema-sync")]
use crate::db::backend::DriverRow;
use crate::db::backend::{Rows, Session, Sql};
use crate::db::rows::{RowStream, Table};

/// Why a text does not end the transaction that it is a part of.
const NO_CONTROL: &str = "behind a pooler (`services.database.pooler`) every statement is part of a transaction, which a text cannot begin \
     or end; use begin(), commit() and rollback()";

/// What is refused in a user's own transaction, as everywhere.
const NO_END: &str = "a transaction is ended with commit() or rollback(), and begin() opens a savepoint";

/// Why a statement that needs to be alone is refused.
const NOT_ALONE: &str = "behind a pooler (`services.database.pooler`) every statement is part of a transaction, and this one cannot be; run it \
     in a migration without a transaction, which goes to `direct_url`";

/// Why it is too late for an isolation level.
const TOO_LATE: &str = "behind a pooler (`services.database.pooler`) a transaction's isolation level is set when it begins; use \
     begin_with_config()";

/// Reads a text that is by itself.
pub(super) fn judge_alone(sql: &Sql) -> Result<Verdict, DbErr> {
    admit(sql, NO_CONTROL)
}

fn admit(sql: &Sql, reason: &'static str) -> Result<Verdict, DbErr> {
    if sql.text.contains('\0') {
        // The server would read up to it.
        return Err(DatabaseError::Refused { reason: "a statement cannot hold a NUL" }.into());
    }
    match judge(&sql.text) {
        Verdict { transaction: true, .. } => Err(DatabaseError::Refused { reason }.into()),
        verdict => Ok(verdict),
    }
}

/// The same error, or one that says what to do where the transaction around the statement is its reason.
fn explained(error: DbErr) -> DbErr {
    if !run::is_active_transaction(&error) {
        return error;
    }
    let too_late = error.to_string().contains("before any query");
    DatabaseError::Refused { reason: if too_late { TOO_LATE } else { NOT_ALONE } }.into()
}

macro_rules! run_in_unit {
    ($name:ident, $result:ty) => {
        pub(super) async fn $name(&mut self, sql: &Sql, verdict: Verdict) -> Result<$result, DbErr> {
            let result = run::$name(self.start(verdict).await?, sql, Kept::Never).await;
            self.finish(result.as_ref().err());
            result.map_err(explained)
        }
    };
}

impl Unit {
    run_in_unit!(execute, ExecResult);
    run_in_unit!(query_one, Option<QueryResult>);
    run_in_unit!(query_all, Vec<QueryResult>);
    #[cfg(feature = "schema-sync")]
    run_in_unit!(driver_rows, Vec<DriverRow>);

    /// Puts the rows on a table, and an error too. Says whether there was none.
    pub(super) async fn stream(&mut self, sql: &Sql, verdict: Verdict, table: &Table) -> bool {
        let connection = match self.start(verdict).await {
            Ok(connection) => connection,
            Err(error) => {
                table.put(Err(error)).await;
                return false;
            }
        };
        let mut failed = None;
        let mut rows = run::stream(connection, sql, Kept::Never);
        while let Some(row) = rows.next().await {
            failed = row.as_ref().err().cloned();
            table.put(row.map_err(explained)).await;
        }
        drop(rows);
        self.finish(failed.as_ref());
        failed.is_none()
    }
}

/// A transaction of the user's.
pub(super) struct PooledSession {
    unit: Unit,
    level: u32,
}

impl PooledSession {
    pub(super) fn new(unit: Unit) -> Self {
        Self { unit, level: 1 }
    }
}

impl Session for PooledSession {
    fn level(&self) -> u32 {
        self.level
    }

    fn execute(&mut self, sql: Sql) -> BoxFuture<'_, Result<ExecResult, DbErr>> {
        async move {
            let verdict = admit(&sql, NO_END)?;
            self.unit.execute(&sql, verdict).await
        }
        .boxed()
    }

    fn query_one(&mut self, sql: Sql) -> BoxFuture<'_, Result<Option<QueryResult>, DbErr>> {
        async move {
            let verdict = admit(&sql, NO_END)?;
            self.unit.query_one(&sql, verdict).await
        }
        .boxed()
    }

    fn query_all(&mut self, sql: Sql) -> BoxFuture<'_, Result<Vec<QueryResult>, DbErr>> {
        async move {
            let verdict = admit(&sql, NO_END)?;
            self.unit.query_all(&sql, verdict).await
        }
        .boxed()
    }

    #[cfg(feature = "schema-sync")]
    fn driver_rows(&mut self, sql: Sql) -> BoxFuture<'_, Result<Vec<DriverRow>, DbErr>> {
        async move {
            let verdict = admit(&sql, NO_END)?;
            self.unit.driver_rows(&sql, verdict).await
        }
        .boxed()
    }

    fn stream(&mut self, sql: Sql) -> Result<Rows<'_>, DbErr> {
        let verdict = admit(&sql, NO_END)?;
        let unit = &mut self.unit;
        // Begins at the first poll, so that a stream that is never polled leaves nothing under way.
        Ok(RowStream::produce(move |table| async move {
            unit.stream(&sql, verdict, &table).await;
        })
        .boxed())
    }

    /// A savepoint has the isolation and access of its transaction.
    fn nest(&mut self, _: TransactionOptions) -> BoxFuture<'_, Result<(), DbErr>> {
        async move {
            let level = self.level + 1;
            self.unit.control(&format!("SAVEPOINT xcore_{level}")).await?;
            self.level = level;
            Ok(())
        }
        .boxed()
    }

    fn commit(&mut self, level: u32) -> BoxFuture<'_, Result<(), DbErr>> {
        async move {
            if level <= 1 {
                self.unit.commit().await?;
                self.level = 0;
                return Ok(());
            }
            self.unit.control(&format!("RELEASE xcore_{level}")).await?;
            self.level = level - 1;
            Ok(())
        }
        .boxed()
    }

    fn rollback(&mut self, level: u32) -> BoxFuture<'_, Result<(), DbErr>> {
        async move {
            if level <= 1 {
                self.unit.rollback().await?;
                self.level = 0;
                return Ok(());
            }
            self.unit.control(&format!("ROLLBACK TO xcore_{level}; RELEASE xcore_{level}")).await?;
            self.unit.went_back();
            self.level = level - 1;
            Ok(())
        }
        .boxed()
    }
}
