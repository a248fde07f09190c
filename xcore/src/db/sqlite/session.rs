//! A transaction on one connection, and a connection that is pinned for several.

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use sea_orm::{AccessMode, DbErr, ExecResult, QueryResult, SqliteTransactionMode, TransactionOptions};

use super::lease::Lease;
use super::run;
use super::service::{execute_alone, verdict_of, verdict_of_query};
use super::text::{Verdict, judge};
use crate::db::DatabaseError;
#[cfg(feature = "schema-sync")]
use crate::db::backend::DriverRow;
use crate::db::backend::{Rows, Session, Sql};
use crate::db::rows::RowStream;

/// An open transaction, or a pinned connection at level 0.
pub(super) struct SqliteSession {
    lease: Lease,
    level: u32,
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begin {
    mode: SqliteTransactionMode,
    read_only: bool,
}

impl Begin {
    /// Takes the write lock at the start unless told otherwise.
    ///
    /// A transaction that reads first and writes later fails with a stale snapshot when another one has written in
    /// between, and no waiting mends that (<https://www.sqlite.org/rescode.html#busy_snapshot>).
    pub(super) fn of(options: &TransactionOptions) -> Self {
        let read_only = options.access_mode == Some(AccessMode::ReadOnly);
        let default =
            if read_only { SqliteTransactionMode::Deferred } else { SqliteTransactionMode::Immediate };
        Self { mode: options.sqlite_transaction_mode.unwrap_or(default), read_only }
    }

    /// Whether it waits in line with other writers.
    pub(super) fn writes(self) -> bool {
        !matches!(self.mode, SqliteTransactionMode::Deferred)
    }
}

/// A step of which nobody knows the outcome when it is cut short.
const CONTROL: Verdict = Verdict { writes: true, schema: false, session: false, transaction: false };

impl SqliteSession {
    pub(super) fn pin(lease: Lease) -> Self {
        Self { lease, level: 0 }
    }

    pub(super) async fn begin(lease: Lease, begin: Begin) -> Result<Self, DbErr> {
        let mut session = Self::pin(lease);
        session.open(begin).await?;
        Ok(session)
    }

    async fn open(&mut self, begin: Begin) -> Result<(), DbErr> {
        let lease = &mut self.lease;
        let text = match begin.mode {
            SqliteTransactionMode::Deferred => "BEGIN DEFERRED",
            SqliteTransactionMode::Immediate => "BEGIN IMMEDIATE",
            SqliteTransactionMode::Exclusive => "BEGIN EXCLUSIVE",
        };
        control(lease, text).await?;
        lease.in_transaction = true;
        if begin.read_only {
            lease.query_only = true;
            control(lease, "PRAGMA query_only = ON").await?;
        }
        self.level = 1;
        Ok(())
    }

    /// Before a statement that is by itself.
    async fn be_ready(&mut self, verdict: Verdict) -> Result<(), DbErr> {
        self.lease.be_current().await?;
        if verdict.writes {
            self.lease.take_writer().await?;
        }
        Ok(())
    }

    fn admit(&self, sql: &Sql) -> Result<Verdict, DbErr> {
        let verdict = judge(&sql.text).map_err(|reason| DatabaseError::Refused { reason })?;
        if verdict.transaction {
            const REASON: &str =
                "a transaction is ended with commit() or rollback(), and begin() opens a savepoint";
            return Err(DatabaseError::Refused { reason: REASON }.into());
        }
        Ok(verdict)
    }

    async fn end(&mut self, text: &'static str) -> Result<(), DbErr> {
        control(&mut self.lease, text).await?;
        self.lease.in_transaction = false;
        self.level = 0;
        if self.lease.query_only {
            control(&mut self.lease, "PRAGMA query_only = OFF").await?;
            self.lease.query_only = false;
        }
        // Tells the file that tables have changed, when they have.
        self.lease.finish(None);
        self.lease.give_writer_back();
        Ok(())
    }
}

async fn control(lease: &mut Lease, text: impl Into<String>) -> Result<(), DbErr> {
    let result = run::control(lease.start(CONTROL).await?, text).await;
    lease.finish(result.as_ref().err());
    result
}

impl Session for SqliteSession {
    fn level(&self) -> u32 {
        self.level
    }

    fn execute(&mut self, sql: Sql) -> BoxFuture<'_, Result<ExecResult, DbErr>> {
        async move {
            if self.level == 0 {
                let verdict = verdict_of(&sql)?;
                self.be_ready(verdict).await?;
                let result = execute_alone(&mut self.lease, sql, verdict).await;
                self.lease.give_writer_back();
                return result;
            }
            let verdict = self.admit(&sql)?;
            let result = run::execute(self.lease.start(verdict).await?, sql).await;
            self.lease.finish(result.as_ref().err());
            result
        }
        .boxed()
    }

    fn query_one(&mut self, sql: Sql) -> BoxFuture<'_, Result<Option<QueryResult>, DbErr>> {
        async move {
            let alone = self.level == 0;
            let verdict = if alone { verdict_of_query(&sql)? } else { self.admit(&sql)? };
            if alone {
                self.be_ready(verdict).await?;
            }
            let result = run::query_one(self.lease.start(verdict).await?, sql, !verdict.writes).await;
            self.lease.finish(result.as_ref().err());
            if alone {
                self.lease.give_writer_back();
            }
            result
        }
        .boxed()
    }

    fn query_all(&mut self, sql: Sql) -> BoxFuture<'_, Result<Vec<QueryResult>, DbErr>> {
        async move {
            let alone = self.level == 0;
            let verdict = if alone { verdict_of_query(&sql)? } else { self.admit(&sql)? };
            if alone {
                self.be_ready(verdict).await?;
            }
            let result = run::query_all(self.lease.start(verdict).await?, sql).await;
            self.lease.finish(result.as_ref().err());
            if alone {
                self.lease.give_writer_back();
            }
            result
        }
        .boxed()
    }

    #[cfg(feature = "schema-sync")]
    fn driver_rows(&mut self, sql: Sql) -> BoxFuture<'_, Result<Vec<DriverRow>, DbErr>> {
        async move {
            let alone = self.level == 0;
            let verdict = if alone { verdict_of_query(&sql)? } else { self.admit(&sql)? };
            if alone {
                self.be_ready(verdict).await?;
            }
            let result = run::driver_rows(self.lease.start(verdict).await?, sql).await;
            self.lease.finish(result.as_ref().err());
            if alone {
                self.lease.give_writer_back();
            }
            result
        }
        .boxed()
    }

    fn stream(&mut self, sql: Sql) -> Result<Rows<'_>, DbErr> {
        let alone = self.level == 0;
        let verdict = if alone { verdict_of_query(&sql)? } else { self.admit(&sql)? };
        // Begins at the first poll, so that a stream that is never polled leaves nothing under way.
        Ok(RowStream::produce(move |table| async move {
            if alone && let Err(error) = self.be_ready(verdict).await {
                return table.put(Err(error)).await;
            }
            let lease = &mut self.lease;
            let connection = match lease.start(verdict).await {
                Ok(connection) => connection,
                Err(error) => return table.put(Err(error.into())).await,
            };
            let mut failed = None;
            let mut rows = run::stream(connection, sql);
            while let Some(row) = rows.next().await {
                failed = row.as_ref().err().cloned();
                table.put(row).await;
            }
            drop(rows);
            lease.finish(failed.as_ref());
            if alone {
                lease.give_writer_back();
            }
        })
        .boxed())
    }

    fn nest(&mut self, options: TransactionOptions) -> BoxFuture<'_, Result<(), DbErr>> {
        async move {
            if self.level == 0 {
                let begin = Begin::of(&options);
                self.lease.be_current().await?;
                if begin.writes() {
                    self.lease.take_writer().await?;
                }
                return self.open(begin).await;
            }
            let level = self.level + 1;
            control(&mut self.lease, format!("SAVEPOINT xcore_{level}")).await?;
            self.level = level;
            Ok(())
        }
        .boxed()
    }

    fn commit(&mut self, level: u32) -> BoxFuture<'_, Result<(), DbErr>> {
        async move {
            if level <= 1 {
                return self.end("COMMIT").await;
            }
            control(&mut self.lease, format!("RELEASE xcore_{level}")).await?;
            self.level = level - 1;
            Ok(())
        }
        .boxed()
    }

    fn rollback(&mut self, level: u32) -> BoxFuture<'_, Result<(), DbErr>> {
        async move {
            if level <= 1 {
                return self.end("ROLLBACK").await;
            }
            control(&mut self.lease, format!("ROLLBACK TO xcore_{level}")).await?;
            control(&mut self.lease, format!("RELEASE xcore_{level}")).await?;
            self.level = level - 1;
            Ok(())
        }
        .boxed()
    }
}
