//! An open transaction, and savepoints in it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt;
use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, Statement,
    StatementBuilder, StreamTrait, TransactionError, TransactionOptions, TransactionSession,
    TransactionTrait,
};
use tokio::sync::{Mutex, MutexGuard};

use super::backend::{Scope, Session, Sql};
use super::handle::supports_returning;
use super::waiting::Waiting;
use super::{DatabaseError, RowStream};
use crate::tenancy::Tenant;

/// An open transaction on one database, or a savepoint in one.
///
/// It implements SeaORM's [`ConnectionTrait`], [`StreamTrait`] and [`TransactionTrait`]: beginning one on it opens a
/// savepoint. Dropping it without [`commit`](Transaction::commit) rolls back, before anybody else gets the connection and
/// before the next statement of an outer transaction runs.
///
/// # Cancellation
/// When a *writing* statement of it is cancelled, nobody knows whether it took effect. The transaction then refuses to go
/// on and cannot be committed. A cancelled read, or a row stream that is dropped early, does it no harm.
pub struct Transaction {
    shared: Arc<Shared>,
    level: u32,
    finished: bool,
    dialect: DbBackend,
    scope: Scope,
}

struct Shared {
    /// `None` once the outermost level has ended.
    session: Mutex<Option<Box<dyn Session>>>,
    /// The lowest level that was dropped without an end and is still to be rolled back.
    abandoned: AtomicU32,
    /// The level that the connection goes back with: 1 of a transaction, 0 of a pinned session.
    base: u32,
    /// Behind the session, so that what waits for the end of it is told when it has ended.
    waiting: Waiting,
}

const NONE: u32 = u32::MAX;

impl Transaction {
    pub(super) fn new(session: Box<dyn Session>, dialect: DbBackend, scope: Scope) -> Self {
        let level = session.level();
        let shared = Shared {
            session: Mutex::new(Some(session)),
            abandoned: AtomicU32::new(NONE),
            base: level,
            waiting: Waiting::default(),
        };
        Self { shared: Arc::new(shared), level, finished: false, dialect, scope }
    }

    /// The tenant on whose database it was begun, if it was begun on one's.
    pub(crate) fn tenant(&self) -> Option<&Tenant> {
        self.scope.tenant()
    }

    /// Has something told what became of what is done here, once that is known: `true` when it was committed, with all transactions
    /// around it, and `false` when it was undone, or nobody will know.
    pub(crate) fn when_ended(&self, tell: impl FnOnce(bool) + Send + 'static) {
        self.shared.waiting.add(self.level, tell);
    }

    /// Keeps what was done. Of a savepoint: hands it to the outer transaction.
    ///
    /// # Errors
    /// When the database refuses (for example a deferred constraint), or the transaction has ended or was interrupted.
    /// Nothing is kept then.
    pub async fn commit(mut self) -> Result<(), DbErr> {
        self.end(true).await
    }

    /// Undoes what was done.
    ///
    /// # Errors
    /// When the database fails, or the transaction has ended before.
    pub async fn rollback(mut self) -> Result<(), DbErr> {
        self.end(false).await
    }

    async fn end(&mut self, keep: bool) -> Result<(), DbErr> {
        let (shared, level) = (Arc::clone(&self.shared), self.level);
        let mut pinned = Pinned::of(&shared, level).await?;
        let session = pinned.session()?;
        let ended = if keep { session.commit(level).await } else { session.rollback(level).await };
        ended.map_err(of_control)?;
        self.finished = true;
        if keep {
            shared.waiting.kept(level);
        } else {
            shared.waiting.undone(level);
        }
        if level == self.shared.base {
            // The connection goes back now, not when the last savepoint's handle is dropped.
            *pinned.guard = None;
        }
        Ok(())
    }

    /// Runs the callback and ends the transaction by its result.
    pub(super) async fn run<F, T, E>(self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        match callback(&self).await {
            Ok(value) => {
                self.commit().await?;
                Ok(value)
            }
            Err(error) => {
                self.rollback().await?;
                Err(TransactionError::Transaction(error))
            }
        }
    }
}

/// What the database refused of a begin, commit or rollback is a failed query in SeaORM.
pub(super) fn of_control(error: DbErr) -> DbErr {
    match error {
        DbErr::Exec(refused) => DbErr::Query(refused),
        other => other,
    }
}

/// The session, locked for one operation at one level.
struct Pinned<'a> {
    guard: MutexGuard<'a, Option<Box<dyn Session>>>,
}

impl<'a> Pinned<'a> {
    /// Locks the session, after what was abandoned above this level has been rolled back.
    async fn of(shared: &'a Shared, level: u32) -> Result<Self, DbErr> {
        let mut guard = shared.session.lock().await;
        let session = guard.as_mut().ok_or(DatabaseError::TransactionEnded)?;
        let abandoned = shared.abandoned.load(Ordering::Acquire);
        if abandoned <= level {
            return Err(DatabaseError::TransactionEnded.into());
        }
        if abandoned != NONE {
            if abandoned <= session.level() {
                session.rollback(abandoned).await?;
            }
            shared.waiting.undone(abandoned);
            // A level between may have been abandoned meanwhile; then the mark stays and is seen next time.
            let _ = shared.abandoned.compare_exchange(abandoned, NONE, Ordering::AcqRel, Ordering::Acquire);
        }
        if session.level() < level {
            return Err(DatabaseError::TransactionEnded.into());
        }
        Ok(Self { guard })
    }

    fn session(&mut self) -> Result<&mut Box<dyn Session>, DbErr> {
        self.guard.as_mut().ok_or_else(|| DatabaseError::TransactionEnded.into())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.abandoned.fetch_min(self.level, Ordering::AcqRel);
            if self.level == self.shared.base
                && let Ok(mut session) = self.shared.session.try_lock()
            {
                // Rolls back at once, also when a savepoint's handle outlives this one.
                *session = None;
            }
        }
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("level", &self.level).finish_non_exhaustive()
    }
}

impl Transaction {
    async fn do_execute(&self, sql: Sql) -> Result<ExecResult, DbErr> {
        Pinned::of(&self.shared, self.level).await?.session()?.execute(sql).await
    }

    async fn do_query_one(&self, sql: Sql) -> Result<Option<QueryResult>, DbErr> {
        Pinned::of(&self.shared, self.level).await?.session()?.query_one(sql).await
    }

    async fn do_query_all(&self, sql: Sql) -> Result<Vec<QueryResult>, DbErr> {
        Pinned::of(&self.shared, self.level).await?.session()?.query_all(sql).await
    }

    #[cfg(feature = "schema-sync")]
    pub(super) async fn driver_rows(&self, sql: Sql) -> Result<Vec<super::backend::DriverRow>, DbErr> {
        Pinned::of(&self.shared, self.level).await?.session()?.driver_rows(sql).await
    }

    /// The stream holds the transaction: nothing else runs on it until the stream is dropped.
    async fn do_stream(&self, sql: Sql) -> Result<RowStream<'_>, DbErr> {
        let mut pinned = Pinned::of(&self.shared, self.level).await?;
        Ok(RowStream::produce(move |table| async move {
            match pinned.session().and_then(|session| session.stream(sql)) {
                Ok(mut rows) => {
                    while let Some(row) = rows.next().await {
                        table.put(row).await;
                    }
                }
                Err(error) => table.put(Err(error)).await,
            }
        }))
    }
}

impl Transaction {
    /// One level more. Of the options a savepoint takes none.
    pub(super) async fn nest(&self, options: TransactionOptions) -> Result<Self, DbErr> {
        let mut pinned = Pinned::of(&self.shared, self.level).await?;
        let session = pinned.session()?;
        session.nest(options).await.map_err(of_control)?;
        Ok(Self {
            shared: Arc::clone(&self.shared),
            level: session.level(),
            finished: false,
            dialect: self.dialect,
            scope: self.scope.clone(),
        })
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.dialect
    }

    fn execute_raw<'s, 'a>(&'s self, statement: Statement) -> Boxed<'a, Result<ExecResult, DbErr>>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(self.do_execute(Sql::raw(statement)))
    }

    fn execute<'s, 't, 'a, S>(&'s self, statement: &'t S) -> Boxed<'a, Result<ExecResult, DbErr>>
    where
        's: 'a,
        't: 'a,
        S: StatementBuilder + 'a,
        Self: 'a,
    {
        Box::pin(self.do_execute(Sql::built(self.dialect.build(statement))))
    }

    fn execute_unprepared<'s, 't, 'a>(&'s self, sql: &'t str) -> Boxed<'a, Result<ExecResult, DbErr>>
    where
        's: 'a,
        't: 'a,
        Self: 'a,
    {
        Box::pin(self.do_execute(Sql::script(sql)))
    }

    fn query_one_raw<'s, 'a>(&'s self, statement: Statement) -> Boxed<'a, Result<Option<QueryResult>, DbErr>>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(self.do_query_one(Sql::raw(statement)))
    }

    fn query_one<'s, 't, 'a, S>(&'s self, statement: &'t S) -> Boxed<'a, Result<Option<QueryResult>, DbErr>>
    where
        's: 'a,
        't: 'a,
        S: StatementBuilder + 'a,
        Self: 'a,
    {
        Box::pin(self.do_query_one(Sql::built(self.dialect.build(statement))))
    }

    fn query_all_raw<'s, 'a>(&'s self, statement: Statement) -> Boxed<'a, Result<Vec<QueryResult>, DbErr>>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(self.do_query_all(Sql::raw(statement)))
    }

    fn query_all<'s, 't, 'a, S>(&'s self, statement: &'t S) -> Boxed<'a, Result<Vec<QueryResult>, DbErr>>
    where
        's: 'a,
        't: 'a,
        S: StatementBuilder + 'a,
        Self: 'a,
    {
        Box::pin(self.do_query_all(Sql::built(self.dialect.build(statement))))
    }

    fn support_returning(&self) -> bool {
        supports_returning(self.dialect)
    }
}

impl StreamTrait for Transaction {
    type Stream<'a> = RowStream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        self.dialect
    }

    fn stream<'a, S>(&'a self, statement: &S) -> Boxed<'a, Result<RowStream<'a>, DbErr>>
    where
        S: StatementBuilder + Sync,
    {
        Box::pin(self.do_stream(Sql::built(self.dialect.build(statement))))
    }

    fn stream_raw<'a>(&'a self, statement: Statement) -> Boxed<'a, Result<RowStream<'a>, DbErr>> {
        Box::pin(self.do_stream(Sql::raw(statement)))
    }
}

#[async_trait::async_trait]
impl TransactionTrait for Transaction {
    type Transaction = Self;

    async fn begin(&self) -> Result<Self, DbErr> {
        self.nest(TransactionOptions::default()).await
    }

    /// A savepoint has the isolation and access of its transaction; the arguments are not used.
    async fn begin_with_config(
        &self,
        _: Option<IsolationLevel>,
        _: Option<AccessMode>,
    ) -> Result<Self, DbErr> {
        self.begin().await
    }

    /// A savepoint has the isolation and access of its transaction; the options are not used.
    async fn begin_with_options(&self, _: TransactionOptions) -> Result<Self, DbErr> {
        self.begin().await
    }

    async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self) -> Boxed<'c, Result<T, E>> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        self.begin().await?.run(callback).await
    }

    async fn transaction_with_config<F, T, E>(
        &self,
        callback: F,
        _: Option<IsolationLevel>,
        _: Option<AccessMode>,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self) -> Boxed<'c, Result<T, E>> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        self.begin().await?.run(callback).await
    }
}

#[async_trait::async_trait]
impl TransactionSession for Transaction {
    async fn commit(self) -> Result<(), DbErr> {
        Self::commit(self).await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        Self::rollback(self).await
    }
}
