//! A server that is not there: one that could not be reached when the app was started, until it is; or one that the
//! configuration does not name.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::future::{BoxFuture, FutureExt, ready};
use sea_orm::{DbBackend, DbErr, ExecResult, QueryResult, TransactionOptions};

use super::backend::{Backend, Place, Replica, Rows, Scope, Session, Sql, TenantClaim};
use super::drift::Drift;
use super::{DatabaseError, Finding, Inlet, MigrationReport, Migrations, Outlet, Taken};
use crate::tenancy::TenantId;

/// A backend that is opened later, or never. Until then everything fails, and nothing is done anywhere else (I5).
#[derive(Debug)]
pub(super) struct Late {
    opened: OnceLock<Arc<dyn Backend>>,
    closed: AtomicBool,
    why: DatabaseError,
}

impl Late {
    pub(super) fn new(why: DatabaseError) -> Self {
        Self { opened: OnceLock::new(), closed: AtomicBool::new(false), why }
    }

    /// From now on it is as good as the others; `false` when the app has ended meanwhile, and nobody closes it.
    #[cfg(feature = "postgres")]
    pub(super) fn open(&self, backend: Arc<dyn Backend>) -> bool {
        // One task opens it, once.
        self.opened.set(backend).is_ok() && !self.is_closed()
    }

    #[cfg(feature = "postgres")]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(super) fn is_open(&self) -> bool {
        self.opened.get().is_some()
    }

    fn failed<'a, T: Send + 'a, E: From<DatabaseError> + Send + 'a>(&self) -> BoxFuture<'a, Result<T, E>> {
        ready(Err(self.why.clone().into())).boxed()
    }
}

/// Passes calls on.
macro_rules! pass_on {
    ($($(#[$cfg:meta])? $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $($(#[$cfg])? fn $name<'a>(&'a self $(, $argument: $type)*) -> BoxFuture<'a, $result> {
            match self.opened.get() {
                Some(backend) => backend.$name($($argument),*),
                None => self.failed(),
            }
        })*
    };
}

impl Backend for Late {
    fn dialect(&self) -> DbBackend {
        self.opened.get().map_or(DbBackend::Postgres, |backend| backend.dialect())
    }

    pass_on! {
        execute(scope: &'a Scope, sql: Sql) -> Result<ExecResult, DbErr>;
        query_one(scope: &'a Scope, sql: Sql) -> Result<Option<QueryResult>, DbErr>;
        query_all(scope: &'a Scope, sql: Sql) -> Result<Vec<QueryResult>, DbErr>;
        #[cfg(feature = "schema-sync")]
        driver_rows(scope: &'a Scope, sql: Sql) -> Result<Vec<super::backend::DriverRow>, DbErr>;
        stream(scope: &'a Scope, sql: Sql) -> Result<Rows<'static>, DbErr>;
        begin(scope: &'a Scope, options: TransactionOptions) -> Result<Box<dyn Session>, DbErr>;
        pin(scope: &'a Scope) -> Result<Box<dyn Session>, DbErr>;
        provision(id: &'a TenantId) -> Result<(), DatabaseError>;
        exists(id: &'a TenantId) -> Result<bool, DatabaseError>;
        tenants() -> Result<Vec<TenantId>, DatabaseError>;
        claim(id: &'a TenantId, removal: bool) -> Result<Box<dyn TenantClaim>, DatabaseError>;
        remove(id: &'a TenantId, claim: &'a dyn TenantClaim) -> Result<(), DatabaseError>;
        migrate(place: Place<'a>, migrations: &'a [Migrations]) -> Result<MigrationReport, DatabaseError>;
        replay(id: &'a TenantId, migrations: &'a [Migrations]) -> Result<bool, DatabaseError>;
        drift(ids: &'a [TenantId], migrations: &'a [Migrations]) -> Result<Vec<Drift>, DatabaseError>;
        send(id: &'a TenantId, out: Outlet) -> Result<(), DatabaseError>;
        take(id: &'a TenantId, rows: Inlet) -> Result<Taken, DatabaseError>;
        findings() -> Result<Vec<Finding>, DatabaseError>;
        pending(place: Place<'a>, migrations: &'a [Migrations]) -> Result<MigrationReport, DatabaseError>;
    }

    fn only_reads(&self, sql: &Sql) -> bool {
        self.opened.get().is_some_and(|backend| backend.only_reads(sql))
    }

    fn replica<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Option<Arc<dyn Replica>>> {
        match self.opened.get() {
            Some(backend) => backend.replica(scope),
            None => ready(None).boxed(),
        }
    }

    fn allow_operators(&self, wanted: usize) -> usize {
        self.opened.get().map_or(wanted, |backend| backend.allow_operators(wanted))
    }

    fn is_served_by_many(&self) -> bool {
        true
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        // Before it is looked whether there is one, so that one of the two closes it.
        self.closed.store(true, Ordering::SeqCst);
        match self.opened.get() {
            Some(backend) => backend.close(),
            None => ready(()).boxed(),
        }
    }
}
