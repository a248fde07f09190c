//! A transaction on one session, and a session that is pinned for several.

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use sea_orm::{AccessMode, DbErr, ExecResult, IsolationLevel, QueryResult, TransactionOptions};

use super::alone::{alone, stream_alone, verdict_of_query};
use super::lease::Lease;
use super::run;
use super::text::{Verdict, judge};
use crate::db::DatabaseError;
use crate::db::backend::{Rows, Session, Sql};
use crate::db::rows::RowStream;

/// An open transaction, or a pinned session at level 0.
pub(super) struct PostgresSession {
    lease: Lease,
    level: u32,
}

pub(super) fn begin_text(options: &TransactionOptions) -> String {
    let mut text = "BEGIN".to_owned();
    if let Some(level) = options.isolation_level {
        text.push_str(match level {
            IsolationLevel::RepeatableRead => " ISOLATION LEVEL REPEATABLE READ",
            IsolationLevel::ReadCommitted => " ISOLATION LEVEL READ COMMITTED",
            IsolationLevel::ReadUncommitted => " ISOLATION LEVEL READ UNCOMMITTED",
            IsolationLevel::Serializable => " ISOLATION LEVEL SERIALIZABLE",
        });
    }
    match options.access_mode {
        Some(AccessMode::ReadOnly) => text.push_str(" READ ONLY"),
        Some(AccessMode::ReadWrite) => text.push_str(" READ WRITE"),
        None => {}
    }
    text
}

impl PostgresSession {
    pub(super) async fn begin(mut lease: Lease, options: &TransactionOptions) -> Result<Self, DbErr> {
        // From before it is sent: a begin that is cut short is rolled back (I2).
        lease.in_transaction = true;
        lease.control(begin_text(options)).await?;
        Ok(Self { lease, level: 1 })
    }

    pub(super) async fn pin(mut lease: Lease) -> Result<Self, DbErr> {
        lease.pin().await?;
        Ok(Self { lease, level: 0 })
    }

    fn admit(sql: &Sql) -> Result<Verdict, DbErr> {
        let verdict = judge(&sql.text);
        if verdict.transaction {
            const REASON: &str =
                "a transaction is ended with commit() or rollback(), and begin() opens a savepoint";
            return Err(DatabaseError::Refused { reason: REASON }.into());
        }
        Ok(verdict)
    }

    async fn end(&mut self, text: &'static str) -> Result<(), DbErr> {
        self.lease.control(text).await?;
        self.lease.end_transaction();
        self.level = 0;
        Ok(())
    }
}

impl Session for PostgresSession {
    fn level(&self) -> u32 {
        self.level
    }

    fn execute(&mut self, sql: Sql) -> BoxFuture<'_, Result<ExecResult, DbErr>> {
        async move {
            if self.level == 0 {
                let verdict = judge(&sql.text);
                self.lease.stand_again().await?;
                let lease = &mut self.lease;
                let result = alone!(lease, sql, verdict, execute);
                return lease.without_transaction(verdict, result).await;
            }
            let verdict = Self::admit(&sql)?;
            let target = self.lease.target();
            let result = run::execute(self.lease.start(verdict).await?, &sql, target).await;
            self.lease.finish(result.as_ref().err());
            result
        }
        .boxed()
    }

    fn query_one(&mut self, sql: Sql) -> BoxFuture<'_, Result<Option<QueryResult>, DbErr>> {
        async move {
            if self.level == 0 {
                let verdict = verdict_of_query(&sql)?;
                self.lease.stand_again().await?;
                let lease = &mut self.lease;
                return alone!(lease, sql, verdict, query_one);
            }
            let verdict = Self::admit(&sql)?;
            let target = self.lease.target();
            let result = run::query_one(self.lease.start(verdict).await?, &sql, target).await;
            self.lease.finish(result.as_ref().err());
            result
        }
        .boxed()
    }

    fn query_all(&mut self, sql: Sql) -> BoxFuture<'_, Result<Vec<QueryResult>, DbErr>> {
        async move {
            if self.level == 0 {
                let verdict = verdict_of_query(&sql)?;
                self.lease.stand_again().await?;
                let lease = &mut self.lease;
                return alone!(lease, sql, verdict, query_all);
            }
            let verdict = Self::admit(&sql)?;
            let target = self.lease.target();
            let result = run::query_all(self.lease.start(verdict).await?, &sql, target).await;
            self.lease.finish(result.as_ref().err());
            result
        }
        .boxed()
    }

    fn stream(&mut self, sql: Sql) -> Result<Rows<'_>, DbErr> {
        if self.level == 0 {
            let verdict = verdict_of_query(&sql)?;
            let lease = &mut self.lease;
            return Ok(RowStream::produce(move |table| async move {
                match lease.stand_again().await {
                    Ok(()) => stream_alone(lease, sql, verdict, table).await,
                    Err(error) => table.put(Err(error)).await,
                }
            })
            .boxed());
        }
        let verdict = Self::admit(&sql)?;
        let lease = &mut self.lease;
        // Begins at the first poll, so that a stream that is never polled leaves nothing under way.
        Ok(RowStream::produce(move |table| async move {
            let target = lease.target();
            let connection = match lease.start(verdict).await {
                Ok(connection) => connection,
                Err(error) => return table.put(Err(error)).await,
            };
            let mut failed = None;
            let mut rows = run::stream(connection, &sql, target);
            while let Some(row) = rows.next().await {
                failed = row.as_ref().err().cloned();
                table.put(row).await;
            }
            drop(rows);
            lease.finish(failed.as_ref());
        })
        .boxed())
    }

    fn nest(&mut self, options: TransactionOptions) -> BoxFuture<'_, Result<(), DbErr>> {
        async move {
            if self.level == 0 {
                self.lease.stand_again().await?;
                self.lease.in_transaction = true;
                self.lease.control(begin_text(&options)).await?;
                self.level = 1;
                return Ok(());
            }
            let level = self.level + 1;
            self.lease.control(format!("SAVEPOINT xcore_{level}")).await?;
            self.level = level;
            Ok(())
        }
        .boxed()
    }

    fn commit(&mut self, level: u32) -> BoxFuture<'_, Result<(), DbErr>> {
        async move {
            if level <= 1 {
                // `COMMIT` of a transaction that has failed, or was ended by raw SQL, is answered without an error though
                // nothing is committed. A savepoint is refused in both cases, and then the rest is not run.
                return self.end("SAVEPOINT xcore_end; COMMIT").await;
            }
            self.lease.control(format!("RELEASE xcore_{level}")).await?;
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
            self.lease.control(format!("ROLLBACK TO xcore_{level}; RELEASE xcore_{level}")).await?;
            self.lease.went_back();
            self.level = level - 1;
            Ok(())
        }
        .boxed()
    }
}
