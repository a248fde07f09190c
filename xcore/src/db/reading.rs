//! A transaction that only reads, perhaps on a replica.

use futures_util::future::{BoxFuture, FutureExt, ready};
use futures_util::stream::StreamExt;
use sea_orm::{DbErr, ExecResult, QueryResult, TransactionOptions};

use super::DatabaseError;
use super::backend::{Rows, Scope, Session, Sql};
use super::read::of_read;

/// A read-only transaction of one tenant.
///
/// On a primary a tenant's schema is dropped only when nobody uses it. A replica is not asked: it takes over the drop, and the schema
/// of the next tenant of the name. So whether the tenant has ended is asked before each statement.
pub(super) struct Reading {
    session: Box<dyn Session>,
    scope: Scope,
}

impl Reading {
    pub(super) fn new(session: Box<dyn Session>, scope: Scope) -> Self {
        Self { session, scope }
    }

    fn check(&self) -> Result<(), DbErr> {
        match &self.scope {
            Scope::Tenant(tenant) if tenant.has_ended() => {
                Err(DatabaseError::Missing { tenant: *tenant.id() }.into())
            }
            _ => Ok(()),
        }
    }
}

macro_rules! checked {
    ($($(#[$cfg:meta])? $name:ident -> $result:ty;)*) => {
        $($(#[$cfg])? fn $name(&mut self, sql: Sql) -> BoxFuture<'_, Result<$result, DbErr>> {
            match self.check() {
                Ok(()) => self.session.$name(sql).map(|result| result.map_err(of_read)).boxed(),
                Err(ended) => ready(Err(ended)).boxed(),
            }
        })*
    };
}

impl Session for Reading {
    checked! {
        execute -> ExecResult;
        query_one -> Option<QueryResult>;
        query_all -> Vec<QueryResult>;
        #[cfg(feature = "schema-sync")]
        driver_rows -> Vec<super::backend::DriverRow>;
    }

    fn level(&self) -> u32 {
        self.session.level()
    }

    fn stream(&mut self, sql: Sql) -> Result<Rows<'_>, DbErr> {
        self.check()?;
        Ok(self.session.stream(sql)?.map(|row| row.map_err(of_read)).boxed())
    }

    fn nest(&mut self, options: TransactionOptions) -> BoxFuture<'_, Result<(), DbErr>> {
        self.session.nest(options)
    }

    fn commit(&mut self, level: u32) -> BoxFuture<'_, Result<(), DbErr>> {
        self.session.commit(level)
    }

    fn rollback(&mut self, level: u32) -> BoxFuture<'_, Result<(), DbErr>> {
        self.session.rollback(level)
    }
}
