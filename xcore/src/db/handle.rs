//! The handles that work on a database: one tenant's, or the shared one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, Statement,
    StatementBuilder, StreamTrait, TransactionError, TransactionOptions, TransactionTrait,
};

use super::backend::{Backend, Scope, Sql};
use super::read::Reader;
use super::transaction::of_control;
use super::{DbSession, RowStream, Transaction};
use crate::tenancy::Tenant;

/// One tenant's database, as a context holds it in `ctx.db`.
///
/// It implements SeaORM's [`ConnectionTrait`], [`TransactionTrait`] and [`StreamTrait`], so every SeaORM method takes
/// `&ctx.db`. A table is looked for among the tenant's own first, then among the shared ones, which a tenant can read
/// and, on SQLite, not write. No method of it reaches another tenant's data, and on SQLite no SQL given to it does; on
/// PostgreSQL raw SQL must not name another tenant's schema, see [`db`](crate::db#postgresql).
///
/// Making one does no I/O and cloning is two reference counts. Nothing is held between two statements: a statement
/// takes a connection and gives it back. [`begin`](TransactionTrait::begin) holds one until the transaction ends. On
/// PostgreSQL the server may hear of it with its first statement only: an isolation level's view of the data begins there.
///
/// # Cancellation
/// A dropped future never leaves a half-done operation to whoever comes next: its connection is reset or closed first.
/// Whether a write that was cancelled took effect is not known, as with any database.
///
/// # Raw SQL
/// On SQLite `ATTACH`, `DETACH`, `VACUUM INTO` and settings that reach beyond the connection are refused. SQL that changes the
/// session (a `PRAGMA`, a `SET`, a temporary table) works for the statement or transaction that holds it and ends with it.
#[derive(Clone)]
pub struct TenantDb {
    backend: Arc<dyn Backend>,
    scope: Scope,
}

/// The shared database: the tables that every tenant reads, writable.
///
/// A plugin gets one only through `services(central)`, granted in `xcore.yaml`. It implements the same SeaORM traits
/// as [`TenantDb`].
#[derive(Clone)]
pub struct SharedDb {
    backend: Arc<dyn Backend>,
    scope: Scope,
}

/// One tenant's database for reading, see [`TenantDb::read`].
///
/// It implements the same SeaORM traits as [`TenantDb`], with the same isolation. What writes is refused with
/// [`DatabaseError::ReadOnly`](super::DatabaseError::ReadOnly), with and without replicas: every `execute`, and a query whose
/// function or `RETURNING` writes. Where the primary answers, a function that writes and that a view hides is not seen. A transaction that is begun on it is read-only, and the database refuses its writes.
///
/// # Replicas
/// A tenant keeps to one replica as long as that is up, so what it reads does not go back in time. When the replica is down,
/// does not know the tenant (in this life of it) yet, or had to cancel the read in order to catch up, another one or the primary
/// answers. A transaction stays where it was begun, and fails when that goes down.
#[derive(Clone)]
pub struct ReadDb {
    backend: Reader,
    scope: Scope,
}

impl TenantDb {
    pub(super) fn new(backend: Arc<dyn Backend>, tenant: Tenant) -> Self {
        Self { backend, scope: Scope::Tenant(tenant) }
    }
}

impl TenantDb {
    /// A handle that only reads, and may be answered by a streaming replica of the tenant's server.
    ///
    /// It takes load off the server, at a price: a replica is behind, by milliseconds as a rule and by more under load. What was
    /// written through this handle a moment ago need not be there yet, so do not decide about a write by what was read this way.
    /// Without `replicas` in `xcore.yaml`, and on SQLite, it reads the tenant's database itself; so plugins may use it
    /// wherever a slightly old answer will do. See [`ReadDb`].
    ///
    /// ```no_run
    /// # use sea_orm::{EntityTrait, DbErr};
    /// # async fn report<E: EntityTrait>(db: &xcore::db::TenantDb) -> Result<(), DbErr> {
    /// let all = E::find().all(&db.read()).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn read(&self) -> ReadDb {
        ReadDb::new(Arc::clone(&self.backend), self.scope.clone())
    }
}

impl ReadDb {
    fn new(backend: Arc<dyn Backend>, scope: Scope) -> Self {
        Self { backend: Reader::new(backend), scope }
    }
}

impl SharedDb {
    pub(super) fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, scope: Scope::Shared }
    }

    /// The framework's own database. It is no service: no plugin gets it.
    pub(super) fn directory(backend: Arc<dyn Backend>) -> Self {
        Self { backend, scope: Scope::Directory }
    }
}

impl fmt::Debug for TenantDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::Tenant(tenant) => write!(f, "TenantDb({tenant})"),
            Scope::Shared | Scope::Directory => f.write_str("TenantDb"),
        }
    }
}

impl fmt::Debug for ReadDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::Tenant(tenant) => write!(f, "ReadDb({tenant})"),
            Scope::Shared | Scope::Directory => f.write_str("ReadDb"),
        }
    }
}

impl fmt::Debug for SharedDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedDb")
    }
}

/// What the methods of SeaORM's traits return once `async_trait` has expanded them. Written out, so that a call is
/// one boxed future (the backend's own) and not two.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

macro_rules! session {
    ($handle:ident) => {
        impl $handle {
            /// Pins one connection, for several statements that must share it: a temporary table and what reads it, a setting
            /// and what it is for, an advisory lock. A transaction needs none, it has a connection of its own anyway.
            ///
            /// Nothing was done in the session before, and nothing that is done in it is left to the next who gets the
            /// connection. The isolation is that of this handle: before each statement the session is made to stand on its
            /// tenant again if it may have been moved.
            ///
            /// It holds one of the connections until it is dropped; on SQLite the right to write is taken for each statement
            /// by itself.
            ///
            /// # Errors
            /// As of any statement: the tenant is gone, or no connection became free in time. Always behind a pooler in transaction
            /// mode, where no connection stays with its user.
            ///
            /// # Cancellation
            /// A dropped future takes nothing.
            ///
            /// ```no_run
            /// # use sea_orm::{ConnectionTrait, DbErr};
            /// # async fn report(db: &xcore::db::TenantDb) -> Result<(), DbErr> {
            /// let session = db.session().await?;
            /// session.execute_unprepared("CREATE TEMPORARY TABLE top (id INTEGER)").await?;
            /// session.execute_unprepared("INSERT INTO top SELECT id FROM orders ORDER BY total DESC LIMIT 10").await?;
            /// # Ok(()) }
            /// ```
            pub async fn session(&self) -> Result<DbSession, DbErr> {
                let session = self.backend.pin(&self.scope).await?;
                Ok(DbSession::new(session, self.backend.dialect(), self.scope.clone()))
            }
        }

        #[cfg(feature = "schema-sync")]
        impl $handle {
            pub(super) async fn driver_rows(
                &self,
                sql: Sql,
            ) -> Result<Vec<super::backend::DriverRow>, DbErr> {
                self.backend.driver_rows(&self.scope, sql).await
            }
        }
    };
}

macro_rules! sea_orm_traits {
    ($handle:ident) => {
        impl ConnectionTrait for $handle {
            fn get_database_backend(&self) -> DbBackend {
                self.backend.dialect()
            }

            fn execute_raw<'s, 'a>(&'s self, statement: Statement) -> Boxed<'a, Result<ExecResult, DbErr>>
            where
                's: 'a,
                Self: 'a,
            {
                self.backend.execute(&self.scope, Sql::raw(statement))
            }

            fn execute<'s, 't, 'a, S>(&'s self, statement: &'t S) -> Boxed<'a, Result<ExecResult, DbErr>>
            where
                's: 'a,
                't: 'a,
                S: StatementBuilder + 'a,
                Self: 'a,
            {
                self.backend.execute(&self.scope, Sql::built(self.backend.dialect().build(statement)))
            }

            fn execute_unprepared<'s, 't, 'a>(&'s self, sql: &'t str) -> Boxed<'a, Result<ExecResult, DbErr>>
            where
                's: 'a,
                't: 'a,
                Self: 'a,
            {
                self.backend.execute(&self.scope, Sql::script(sql))
            }

            fn query_one_raw<'s, 'a>(
                &'s self,
                statement: Statement,
            ) -> Boxed<'a, Result<Option<QueryResult>, DbErr>>
            where
                's: 'a,
                Self: 'a,
            {
                self.backend.query_one(&self.scope, Sql::raw(statement))
            }

            fn query_one<'s, 't, 'a, S>(
                &'s self,
                statement: &'t S,
            ) -> Boxed<'a, Result<Option<QueryResult>, DbErr>>
            where
                's: 'a,
                't: 'a,
                S: StatementBuilder + 'a,
                Self: 'a,
            {
                self.backend.query_one(&self.scope, Sql::built(self.backend.dialect().build(statement)))
            }

            fn query_all_raw<'s, 'a>(
                &'s self,
                statement: Statement,
            ) -> Boxed<'a, Result<Vec<QueryResult>, DbErr>>
            where
                's: 'a,
                Self: 'a,
            {
                self.backend.query_all(&self.scope, Sql::raw(statement))
            }

            fn query_all<'s, 't, 'a, S>(
                &'s self,
                statement: &'t S,
            ) -> Boxed<'a, Result<Vec<QueryResult>, DbErr>>
            where
                's: 'a,
                't: 'a,
                S: StatementBuilder + 'a,
                Self: 'a,
            {
                self.backend.query_all(&self.scope, Sql::built(self.backend.dialect().build(statement)))
            }

            fn support_returning(&self) -> bool {
                supports_returning(self.backend.dialect())
            }
        }

        impl StreamTrait for $handle {
            type Stream<'a> = RowStream<'static>;

            fn get_database_backend(&self) -> DbBackend {
                self.backend.dialect()
            }

            fn stream<'a, S>(&'a self, statement: &S) -> Boxed<'a, Result<RowStream<'static>, DbErr>>
            where
                S: StatementBuilder + Sync,
            {
                let sql = Sql::built(self.backend.dialect().build(statement));
                Box::pin(async move { Ok(RowStream::of(self.backend.stream(&self.scope, sql).await?)) })
            }

            fn stream_raw<'a>(
                &'a self,
                statement: Statement,
            ) -> Boxed<'a, Result<RowStream<'static>, DbErr>> {
                Box::pin(async move {
                    Ok(RowStream::of(self.backend.stream(&self.scope, Sql::raw(statement)).await?))
                })
            }
        }

        #[async_trait::async_trait]
        impl TransactionTrait for $handle {
            type Transaction = Transaction;

            async fn begin(&self) -> Result<Transaction, DbErr> {
                self.begin_with_options(TransactionOptions::default()).await
            }

            async fn begin_with_config(
                &self,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<Transaction, DbErr> {
                self.begin_with_options(TransactionOptions {
                    isolation_level,
                    access_mode,
                    sqlite_transaction_mode: None,
                })
                .await
            }

            async fn begin_with_options(&self, options: TransactionOptions) -> Result<Transaction, DbErr> {
                let session = self.backend.begin(&self.scope, options).await.map_err(of_control)?;
                Ok(Transaction::new(session, self.backend.dialect(), self.scope.clone()))
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
    };
}

session!(TenantDb);
session!(SharedDb);
sea_orm_traits!(TenantDb);
sea_orm_traits!(SharedDb);
sea_orm_traits!(ReadDb);

/// SeaORM asks a Cargo feature for SQLite; the SQLite that is compiled in always can (since 3.35).
pub(super) fn supports_returning(dialect: DbBackend) -> bool {
    dialect == DbBackend::Sqlite || dialect.support_returning()
}
