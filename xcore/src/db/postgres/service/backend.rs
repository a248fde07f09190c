//! PostgreSQL as a [`Backend`].

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use sea_orm::{DbBackend, DbErr, ExecResult, QueryResult, TransactionOptions};

use super::super::alone::{alone, stream_alone, verdict_of_query};
use super::super::pool::Way;
use super::super::session::PostgresSession;
use super::super::target::Target;
use super::super::text::{Verdict, judge};
use super::super::{migrate, notices, roles, schema};
use super::{Doubts, Postgres, check_life};
#[cfg(feature = "schema-sync")]
use crate::db::backend::DriverRow;
use crate::db::backend::{Backend, Place, Replica, Rows, Scope, Session, Sql, TenantClaim};
use crate::db::drift::Drift;
use crate::db::rows::RowStream;
use crate::db::{DatabaseError, Finding, MigrationReport, Migrations};
use crate::tenancy::TenantId;

impl Backend for Postgres {
    fn dialect(&self) -> DbBackend {
        DbBackend::Postgres
    }

    fn execute<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<ExecResult, DbErr>> {
        async move {
            if let Some(in_full) = self.in_full(scope, &sql) {
                return in_full.execute(self, scope, sql).await;
            }
            let verdict = judge(&sql.text);
            let mut lease = self.lease(scope).await?;
            let result = alone!(lease, sql, verdict, execute);
            lease.without_transaction(verdict, result).await
        }
        .boxed()
    }

    fn query_one<'a>(
        &'a self,
        scope: &'a Scope,
        sql: Sql,
    ) -> BoxFuture<'a, Result<Option<QueryResult>, DbErr>> {
        async move {
            if let Some(in_full) = self.in_full(scope, &sql) {
                return in_full.query_one(self, scope, sql).await;
            }
            let verdict = verdict_of_query(&sql)?;
            let mut lease = self.lease(scope).await?;
            alone!(lease, sql, verdict, query_one)
        }
        .boxed()
    }

    fn query_all<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Vec<QueryResult>, DbErr>> {
        async move {
            if let Some(in_full) = self.in_full(scope, &sql) {
                return in_full.query_all(self, scope, sql).await;
            }
            let verdict = verdict_of_query(&sql)?;
            let mut lease = self.lease(scope).await?;
            alone!(lease, sql, verdict, query_all)
        }
        .boxed()
    }

    #[cfg(feature = "schema-sync")]
    fn driver_rows<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Vec<DriverRow>, DbErr>> {
        async move {
            let verdict = verdict_of_query(&sql)?;
            let mut lease = self.lease(scope).await?;
            alone!(lease, sql, verdict, driver_rows)
        }
        .boxed()
    }

    fn stream<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Rows<'static>, DbErr>> {
        async move {
            if let Some(in_full) = self.in_full(scope, &sql) {
                return in_full.stream(self, scope, sql).await;
            }
            let verdict = verdict_of_query(&sql)?;
            let mut lease = self.lease(scope).await?;
            let rows = RowStream::produce(move |table| async move {
                stream_alone(&mut lease, sql, verdict, table).await
            });
            Ok(rows.boxed())
        }
        .boxed()
    }

    fn begin<'a>(
        &'a self,
        scope: &'a Scope,
        options: TransactionOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, DbErr>> {
        async move {
            check_life(scope)?;
            let session: Box<dyn Session> = match self.target(scope) {
                Target::Tenant(id) if self.pool.plain.is_plain(&id) => {
                    let lease = self.pool.lend_for(Target::Tenant(id), Way::InFull).await?;
                    check_life(scope)?;
                    Box::new(PostgresSession::begin_later(lease, options, Arc::clone(&self.texts)))
                }
                _ => Box::new(PostgresSession::begin(self.lease(scope).await?, options).await?),
            };
            Ok(session)
        }
        .boxed()
    }

    fn pin<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Box<dyn Session>, DbErr>> {
        async move {
            let lease = self.lease(scope).await?;
            let session: Box<dyn Session> = Box::new(PostgresSession::pin(lease).await?);
            Ok(session)
        }
        .boxed()
    }

    fn only_reads(&self, sql: &Sql) -> bool {
        if let Some(writes) = self.texts.is_known_to_write(sql) {
            return !writes;
        }
        let verdict = judge(&sql.text);
        // What begins or ends a transaction is refused without one as well.
        verdict.transaction || !(verdict.writes || verdict.session)
    }

    fn replica<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Option<Arc<dyn Replica>>> {
        async move {
            let target = self.target(scope);
            let replica = self.copies.best(&target)?;
            if let (Scope::Tenant(tenant), Target::Tenant(_)) = (scope, target)
                && !self.copies.is_known(tenant)
            {
                // Where tenants have no lives, an earlier one of the name could not be told from this one.
                if tenant.life() == 0 {
                    return None;
                }
                let mut lease = self.lease(scope).await.ok()?;
                let connection = lease.start(Verdict::default()).await.ok()?;
                let number = schema::number(connection, tenant.id()).await;
                lease.finish(None);
                check_life(scope).ok()?;
                self.copies.learn(tenant, number.ok()??);
            }
            let replica: Arc<dyn Replica> = Arc::new(replica);
            Some(replica)
        }
        .boxed()
    }

    fn provision<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async move {
            if self.is_shared(id) {
                return Ok(());
            }
            if self.roles.are_used() {
                return self.settle(id, true).await;
            }
            let (mut operator, _permit) = self.operator().await?;
            let made = schema::create(operator.raw(), id).await;
            operator.close().await;
            made
        }
        .boxed()
    }

    fn exists<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        async move {
            if self.is_shared(id) {
                return Ok(true);
            }
            let mut lease = self.pool.lend(Target::Directory).await?;
            let connection = lease.start(Verdict::default()).await.map_err(DatabaseError::of)?;
            let found = schema::look(connection, id).await;
            lease.finish(None);
            match found? {
                schema::Found::Tenant => Ok(true),
                schema::Found::Nothing => Ok(false),
                schema::Found::Foreign => Err(DatabaseError::Odd { tenant: *id, problem: schema::FOREIGN }),
            }
        }
        .boxed()
    }

    fn tenants(&self) -> BoxFuture<'_, Result<Vec<TenantId>, DatabaseError>> {
        async move {
            let (mut operator, _permit) = self.operator().await?;
            let tenants = schema::tenants(operator.raw()).await;
            operator.close().await;
            tenants
        }
        .boxed()
    }

    fn claim<'a>(
        &'a self,
        id: &'a TenantId,
        _removal: bool,
    ) -> BoxFuture<'a, Result<Box<dyn TenantClaim>, DatabaseError>> {
        async move {
            if self.pool.is_closed() {
                return Err(DatabaseError::Closed);
            }
            let claim = self.claims.take(*id).await?;
            let claim: Box<dyn TenantClaim> = Box::new(claim);
            Ok(claim)
        }
        .boxed()
    }

    fn allow_operators(&self, wanted: usize) -> usize {
        self.operators.allow(wanted)
    }

    fn is_served_by_many(&self) -> bool {
        true
    }

    fn notices(&self) -> Option<BoxStream<'static, ()>> {
        Some(notices::notices(self.options.clone()))
    }

    fn remove<'a>(
        &'a self,
        id: &'a TenantId,
        claim: &'a dyn TenantClaim,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async move {
            let elsewhere = async || self.copies.evacuate(*id).await;
            self.remove_when(id, claim, elsewhere).await
        }
        .boxed()
    }

    fn migrate<'a>(
        &'a self,
        place: Place<'a>,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<MigrationReport, DatabaseError>> {
        async move {
            let target = self.place(place);
            self.take_over(target).await?;
            let _permit = self.operate().await?;
            // Asks whether the schema is there, and counts this run as a user of it.
            let user = self.pool.lend(target).await?;
            // Also when the caller goes away between two migrations.
            let doubts = Doubts::of(&self.pool, target);
            let migrated = migrate::migrate(&self.options, &self.roles, target, place, migrations).await;
            drop((doubts, user));
            migrated
        }
        .boxed()
    }

    fn pending<'a>(
        &'a self,
        place: Place<'a>,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<MigrationReport, DatabaseError>> {
        async move {
            let target = self.place(place);
            let user = self.pool.lend(target).await?;
            let pending = migrate::pending(&self.options, &self.roles, target, place, migrations).await;
            drop(user);
            pending
        }
        .boxed()
    }

    fn replay<'a>(
        &'a self,
        id: &'a TenantId,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        Postgres::replay(self, id, migrations).boxed()
    }

    fn drift<'a>(
        &'a self,
        ids: &'a [TenantId],
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<Vec<Drift>, DatabaseError>> {
        self.compare(ids, migrations).boxed()
    }

    fn findings(&self) -> BoxFuture<'_, Result<Vec<Finding>, DatabaseError>> {
        async move {
            let (mut operator, _permit) = self.operator().await?;
            let findings = roles::findings(operator.raw(), &self.roles).await;
            operator.close().await;
            findings
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            self.claims.close();
            tokio::join!(self.pool.close(), self.copies.close(), self.replay.close());
        }
        .boxed()
    }
}
