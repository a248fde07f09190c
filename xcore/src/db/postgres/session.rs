//! A transaction on one session, and a session that is pinned for several.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use sea_orm::{AccessMode, DbErr, ExecResult, IsolationLevel, QueryResult, TransactionOptions};

use super::alone::{alone, stream_alone, stream_once, verdict_of_query};
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
use crate::db::rows::{RowStream, Table};

/// An open transaction, or a pinned session at level 0.
pub(super) struct PostgresSession {
    lease: Lease,
    level: u32,
    stage: Stage,
    options: TransactionOptions,
    /// Nothing was done since the begin of the transaction or the last savepoint.
    untouched: bool,
}

/// How the statements of a transaction find their tables.
enum Stage {
    /// Nothing was sent. The first statement tells how the transaction begins.
    Unsent { texts: Arc<Texts> },
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

/// Begins a transaction on a session that is ready for it, or on another one when this had died in the pool: nothing of the caller's was
/// sent yet.
async fn begin_on(lease: &mut Lease, text: &str, way: Way) -> Result<(), DbErr> {
    let begun = lease.begin(text).await;
    if !begun.as_ref().is_err_and(run::is_broken_by) {
        return begun;
    }
    lease.renew().await?;
    lease.stand_as(way).await?;
    lease.begin(text).await
}

impl PostgresSession {
    pub(super) async fn begin(mut lease: Lease, options: TransactionOptions) -> Result<Self, DbErr> {
        begin_on(&mut lease, &begin_text(&options), Way::Switched).await?;
        Ok(Self { lease, level: 1, stage: Stage::ByPath, options, untouched: true })
    }

    /// A transaction of a tenant whose statements name their tables in full for as long as all of them are understood. It is begun with
    /// the first of them, so that one that goes by the path needs no second switch.
    pub(super) fn begin_later(lease: Lease, options: TransactionOptions, texts: Arc<Texts>) -> Self {
        Self { lease, level: 1, stage: Stage::Unsent { texts }, options, untouched: true }
    }

    pub(super) async fn pin(mut lease: Lease) -> Result<Self, DbErr> {
        lease.pin().await?;
        let options = TransactionOptions::default();
        Ok(Self { lease, level: 0, stage: Stage::ByPath, options, untouched: true })
    }

    /// Begins the transaction if it is not begun, for a statement that goes this way.
    async fn begin_for(&mut self, way: Way) -> Result<(), DbErr> {
        let Stage::Unsent { texts } = &self.stage else { return Ok(()) };
        let (text, texts) = (begin_text(&self.options), Arc::clone(texts));
        if self.lease.in_transaction {
            self.lease.undo_begin().await?;
        }
        self.lease.stand_as(way).await?;
        begin_on(&mut self.lease, &text, way).await?;
        self.stage = if way == Way::InFull { Stage::InFull { texts } } else { Stage::ByPath };
        Ok(())
    }

    /// What is sent for a statement, and what that may be kept for, once the session is ready for it.
    async fn prepare<'a>(&mut self, sql: &'a Sql) -> Result<(Cow<'a, Sql>, Verdict, Target), DbErr> {
        let filled = match (&self.stage, self.lease.tenant()) {
            (Stage::Unsent { texts } | Stage::InFull { texts }, Some((id, plain))) => {
                texts.fill(plain, &id, sql)
            }
            _ => None,
        };
        if let Some((sql, verdict)) = filled {
            // It is wholly understood, so it is no text that ends the transaction.
            self.begin_for(Way::InFull).await?;
            return Ok((Cow::Owned(sql), verdict, Target::Nobody));
        }
        let verdict = Self::admit(sql)?;
        self.begin_for(Way::Switched).await?;
        if let Stage::InFull { .. } = self.stage {
            self.lease.move_within().await?;
            self.stage = Stage::ByPath;
        }
        Ok((Cow::Borrowed(sql), verdict, self.lease.target()))
    }

    /// After a statement whose plan had outlived its tables. Nothing of it was done, but it has broken the transaction. If it was the first
    /// since the begin, or since the savepoint, the transaction goes back there, and the statement may run again.
    async fn go_back(&mut self) -> Result<(), DbErr> {
        self.lease.forget_plans().await?;
        if !self.untouched {
            return Err(DatabaseError::TablesChanged.into());
        }
        self.untouched = false;
        if self.level > 1 {
            self.lease.control(format!("ROLLBACK TO xcore_{}", self.level)).await?;
            self.lease.went_back();
            return Ok(());
        }
        self.lease.control("ROLLBACK").await?;
        self.lease.end_transaction();
        match &self.stage {
            Stage::InFull { texts } => self.stage = Stage::Unsent { texts: Arc::clone(texts) },
            Stage::Unsent { .. } => {}
            Stage::ByPath => {
                self.lease.stand().await?;
                self.lease.begin(&begin_text(&self.options)).await?;
            }
        }
        Ok(())
    }

    /// The rows of a statement of the transaction. An error is put on the table like a row, unless it came before all rows: that is
    /// returned.
    async fn stream_within(&mut self, sql: Sql, table: &Table) -> Result<(), DbErr> {
        loop {
            let (sent, verdict, target) = self.prepare(&sql).await?;
            let failed = stream_once(&mut self.lease, &sent, verdict, target, table).await?;
            match failed {
                Some(error) if run::is_stale_plan(&error) => self.go_back().await?,
                failed => {
                    let result = failed.map_or(Ok(()), Err);
                    self.ran(verdict, &result).await?;
                    return result;
                }
            }
        }
    }

    /// A statement of the transaction has run.
    async fn ran<T>(&mut self, verdict: Verdict, result: &Result<T, DbErr>) -> Result<(), DbErr> {
        self.untouched = false;
        // What was prepared before may not fit the tables any more, and it would break the transaction to find out.
        if verdict.defines && result.is_ok() { self.lease.forget_plans().await } else { Ok(()) }
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

/// Runs a statement of an open transaction with `run::$run`.
macro_rules! within {
    ($session:expr, $sql:expr, $run:ident) => {
        loop {
            let (sql, verdict, target) = $session.prepare(&$sql).await?;
            let result = run::$run($session.lease.start(verdict).await?, &sql, target).await;
            $session.lease.finish(result.as_ref().err());
            if result.as_ref().is_err_and(run::is_stale_plan) {
                $session.go_back().await?;
                continue;
            }
            $session.ran(verdict, &result).await?;
            break result;
        }
    };
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
            within!(self, sql, execute)
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
            within!(self, sql, query_one)
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
            within!(self, sql, query_all)
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
            within!(self, sql, driver_rows)
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
            if let Err(error) = self.stream_within(sql, &table).await {
                table.put(Err(error)).await;
            }
        })
        .boxed())
    }

    fn nest(&mut self, options: TransactionOptions) -> BoxFuture<'_, Result<(), DbErr>> {
        async move {
            if self.level == 0 {
                self.lease.stand_again().await?;
                self.lease.begin(&begin_text(&options)).await?;
                (self.level, self.options, self.untouched) = (1, options, true);
                return Ok(());
            }
            self.begin_for(Way::InFull).await?;
            let level = self.level + 1;
            self.lease.control(format!("SAVEPOINT xcore_{level}")).await?;
            (self.level, self.untouched) = (level, true);
            Ok(())
        }
        .boxed()
    }

    fn commit(&mut self, level: u32) -> BoxFuture<'_, Result<(), DbErr>> {
        async move {
            if level <= 1 {
                let text = self.lease.commit_text();
                return self.end(text, Lease::committed).await;
            }
            self.lease.control(format!("RELEASE xcore_{level}")).await?;
            (self.level, self.untouched) = (level - 1, false);
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
            (self.level, self.untouched) = (level - 1, false);
            Ok(())
        }
        .boxed()
    }
}
