//! A transaction on one session, and a session that is pinned for several.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use sea_orm::{AccessMode, DbErr, ExecResult, IsolationLevel, QueryResult, TransactionOptions};

use super::alone::{alone, stream_alone, verdict_of_query};
use super::in_full::Texts;
use super::lease::Lease;
use super::pool::Way;
use super::run;
use super::target::Target;
use super::text::{Verdict, judge};
use crate::db::DatabaseError;
#[cfg(feature = "schema-sync")]
use crate::db::backend::DriverRow;
use crate::db::backend::{Rows, Session, Sql};
use crate::db::rows::RowStream;

/// An open transaction, or a pinned session at level 0.
pub(super) struct PostgresSession {
    lease: Lease,
    level: u32,
    stage: Stage,
}

/// How the statements of a transaction find their tables.
enum Stage {
    /// Nothing was sent. The first statement tells how the transaction begins.
    Unsent { options: TransactionOptions, texts: Arc<Texts> },
    /// They name them in full, and the path of the session names nobody or the tenant.
    InFull { texts: Arc<Texts> },
    /// By the path of the session.
    ByPath,
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
        lease.begin(&begin_text(options)).await?;
        Ok(Self { lease, level: 1, stage: Stage::ByPath })
    }

    /// A transaction of a tenant whose statements name their tables in full for as long as all of them are understood. It is begun with
    /// the first of them, so that one that goes by the path needs no second switch.
    pub(super) fn begin_later(lease: Lease, options: TransactionOptions, texts: Arc<Texts>) -> Self {
        Self { lease, level: 1, stage: Stage::Unsent { options, texts } }
    }

    pub(super) async fn pin(mut lease: Lease) -> Result<Self, DbErr> {
        lease.pin().await?;
        Ok(Self { lease, level: 0, stage: Stage::ByPath })
    }

    /// Begins the transaction if it is not begun, for a statement that goes this way.
    async fn begin_for(&mut self, way: Way) -> Result<(), DbErr> {
        let Stage::Unsent { options, texts } = &self.stage else { return Ok(()) };
        let (text, texts) = (begin_text(options), Arc::clone(texts));
        if self.lease.in_transaction {
            self.lease.undo_begin().await?;
        }
        self.lease.stand_as(way).await?;
        let mut begun = self.lease.begin(&text).await;
        if begun.as_ref().is_err_and(run::is_broken_by) {
            // The session had died in the pool.
            self.lease.renew().await?;
            self.lease.stand_as(way).await?;
            begun = self.lease.begin(&text).await;
        }
        begun?;
        self.stage = if way == Way::InFull { Stage::InFull { texts } } else { Stage::ByPath };
        Ok(())
    }

    /// What is sent for a statement, and what that may be kept for, once the session is ready for it.
    async fn prepare(&mut self, sql: Sql) -> Result<(Sql, Verdict, Target), DbErr> {
        let verdict = Self::admit(&sql)?;
        let filled = match (&self.stage, self.lease.tenant()) {
            (Stage::Unsent { texts, .. } | Stage::InFull { texts }, Some((id, plain))) => {
                texts.fill(plain, &id, &sql)
            }
            _ => None,
        };
        if let Some((sql, verdict)) = filled {
            self.begin_for(Way::InFull).await?;
            return Ok((sql, verdict, Target::Nobody));
        }
        self.begin_for(Way::Switched).await?;
        if let Stage::InFull { .. } = self.stage {
            self.lease.move_within().await?;
            self.stage = Stage::ByPath;
        }
        Ok((sql, verdict, self.lease.target()))
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

    async fn end(&mut self, text: &'static str, ended: fn(&mut Lease)) -> Result<(), DbErr> {
        // Of a transaction without statements the server has not heard.
        let unsent = matches!(self.stage, Stage::Unsent { .. }) && !self.lease.in_transaction;
        if !unsent {
            self.lease.control(text).await?;
        }
        ended(&mut self.lease);
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
            let (sql, verdict, target) = self.prepare(sql).await?;
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
            let (sql, verdict, target) = self.prepare(sql).await?;
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
            let (sql, verdict, target) = self.prepare(sql).await?;
            let result = run::query_all(self.lease.start(verdict).await?, &sql, target).await;
            self.lease.finish(result.as_ref().err());
            result
        }
        .boxed()
    }

    #[cfg(feature = "schema-sync")]
    fn driver_rows(&mut self, sql: Sql) -> BoxFuture<'_, Result<Vec<DriverRow>, DbErr>> {
        async move {
            if self.level == 0 {
                let verdict = verdict_of_query(&sql)?;
                self.lease.stand_again().await?;
                let lease = &mut self.lease;
                return alone!(lease, sql, verdict, driver_rows);
            }
            let (sql, verdict, target) = self.prepare(sql).await?;
            let result = run::driver_rows(self.lease.start(verdict).await?, &sql, target).await;
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
        Self::admit(&sql)?;
        // Begins at the first poll, so that a stream that is never polled leaves nothing under way.
        Ok(RowStream::produce(move |table| async move {
            let (sql, verdict, target) = match self.prepare(sql).await {
                Ok(prepared) => prepared,
                Err(error) => return table.put(Err(error)).await,
            };
            let lease = &mut self.lease;
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
                self.lease.begin(&begin_text(&options)).await?;
                self.level = 1;
                return Ok(());
            }
            self.begin_for(Way::InFull).await?;
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
                return self.end("SAVEPOINT xcore_end; COMMIT", Lease::committed).await;
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
                return self.end("ROLLBACK", Lease::end_transaction).await;
            }
            self.lease.control(format!("ROLLBACK TO xcore_{level}; RELEASE xcore_{level}")).await?;
            self.lease.went_back();
            self.level = level - 1;
            Ok(())
        }
        .boxed()
    }
}
