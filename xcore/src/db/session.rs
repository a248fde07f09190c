//! One connection for several statements.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, Statement,
    StatementBuilder, StreamTrait, TransactionError, TransactionOptions, TransactionTrait,
};

use super::backend::{Scope, Session};
use super::{DatabaseError, RowStream, Transaction};

/// One connection of a tenant's database, or of the shared one, pinned for several statements; see
/// [`TenantDb::session`](super::TenantDb::session).
///
/// It implements SeaORM's [`ConnectionTrait`], [`StreamTrait`] and [`TransactionTrait`]. Each statement is by itself; while
/// a transaction that was begun on it is open, all its statements are part of that. Dropping it rolls back what is open
/// and ends all that was set.
///
/// # Cancellation
/// When a *writing* statement of it is cancelled, nobody knows whether it took effect, and the session refuses to go on. A
/// cancelled read, or a row stream that is dropped early, does it no harm.
pub struct DbSession {
    /// Level 0: what a transaction rests on.
    pinned: Transaction,
    scope: Scope,
}

impl DbSession {
    pub(super) fn new(session: Box<dyn Session>, dialect: DbBackend, scope: Scope) -> Self {
        Self { pinned: Transaction::new(session, dialect, scope.clone()), scope }
    }

    /// A session may be held for long; a tenant that has ended meanwhile is not served by it any more.
    fn check(&self) -> Result<(), DbErr> {
        match &self.scope {
            Scope::Tenant(tenant) if tenant.has_ended() => {
                Err(DatabaseError::Missing { tenant: *tenant.id() }.into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(feature = "schema-sync")]
impl DbSession {
    pub(super) async fn driver_rows(
        &self,
        sql: super::backend::Sql,
    ) -> Result<Vec<super::backend::DriverRow>, DbErr> {
        self.check()?;
        self.pinned.driver_rows(sql).await.map_err(of_session)
    }
}

/// The error that speaks of a session.
fn of_session(error: DbErr) -> DbErr {
    match DatabaseError::find_in(&error) {
        Some(DatabaseError::TransactionInterrupted) => DatabaseError::SessionInterrupted.into(),
        _ => error,
    }
}

impl fmt::Debug for DbSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbSession").finish_non_exhaustive()
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[async_trait::async_trait]
impl ConnectionTrait for DbSession {
    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.pinned)
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.check()?;
        self.pinned.execute_raw(statement).await.map_err(of_session)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.check()?;
        self.pinned.execute_unprepared(sql).await.map_err(of_session)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.check()?;
        self.pinned.query_one_raw(statement).await.map_err(of_session)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.check()?;
        self.pinned.query_all_raw(statement).await.map_err(of_session)
    }

    fn support_returning(&self) -> bool {
        self.pinned.support_returning()
    }
}

impl StreamTrait for DbSession {
    type Stream<'a> = RowStream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.pinned)
    }

    fn stream<'a, S>(&'a self, statement: &S) -> Boxed<'a, Result<RowStream<'a>, DbErr>>
    where
        S: StatementBuilder + Sync,
    {
        match self.check() {
            Ok(()) => self.pinned.stream(statement),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn stream_raw<'a>(&'a self, statement: Statement) -> Boxed<'a, Result<RowStream<'a>, DbErr>> {
        match self.check() {
            Ok(()) => self.pinned.stream_raw(statement),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

#[async_trait::async_trait]
impl TransactionTrait for DbSession {
    type Transaction = Transaction;

    async fn begin(&self) -> Result<Transaction, DbErr> {
        self.begin_with_options(TransactionOptions::default()).await
    }

    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<Transaction, DbErr> {
        let options = TransactionOptions { isolation_level, access_mode, sqlite_transaction_mode: None };
        self.begin_with_options(options).await
    }

    async fn begin_with_options(&self, options: TransactionOptions) -> Result<Transaction, DbErr> {
        self.check()?;
        self.pinned.nest(options).await.map_err(of_session)
    }

    async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Transaction) -> Boxed<'c, Result<T, E>> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        self.begin().await?.run(callback).await
    }

    async fn transaction_with_config<F, T, E>(
        &self,
        callback: F,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Transaction) -> Boxed<'c, Result<T, E>> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        self.begin_with_config(isolation_level, access_mode).await?.run(callback).await
    }
}
