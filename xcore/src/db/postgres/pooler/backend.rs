//! A server behind a pooler, as a [`Backend`].

use std::str::FromStr;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sea_orm::{DbBackend, DbErr, ExecResult, QueryResult, TransactionOptions};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::super::Postgres;
use super::super::pool::{Limits, Pool};
use super::super::run;
use super::super::service::check_life;
use super::session::{PooledSession, judge_alone};
use super::texts::Texts;
use super::{Unit, Units, probe};
#[cfg(feature = "schema-sync")]
use crate::db::backend::DriverRow;
use crate::db::backend::{Backend, Place, Rows, Scope, Session, Sql, TenantClaim};
use crate::db::drift::Drift;
use crate::db::rows::RowStream;
use crate::db::settings::redacted;
use crate::db::{
    DatabaseError, DatabaseSettings, DbRole, Finding, Inlet, MigrationReport, Migrations, Outlet, Taken,
};
use crate::tenancy::TenantId;

/// How many sessions this process has with the server itself at most, beside those that change schemas: for questions about them.
const DIRECT_SESSIONS: usize = 4;

/// Why a session cannot be pinned.
const NO_SESSION: &str = "behind a pooler (`services.database.pooler`) no session stays with its user; use begin(), with SET LOCAL, \
     pg_advisory_xact_lock() and CREATE TEMP TABLE .. ON COMMIT DROP in the transaction";

/// Why there are no logins of tenants.
const NO_LOGINS: &str = "`tenancy.db_role: login` gives each tenant connections of its own, and behind a pooler connections are shared; use \
     `set_role`, or connect to the server itself";

/// A server behind a pooler in transaction mode. Statements go through the pooler; what needs a session that stays goes
/// to the server itself.
#[derive(Debug)]
pub(crate) struct Pooled {
    pub(in super::super) units: Arc<Units>,
    pub(in super::super) direct: Arc<Postgres>,
}

/// What a connection to the pooler is opened with. It refuses settings that a session would have to keep.
fn client_options(options: PgConnectOptions) -> PgConnectOptions {
    options.extra_float_digits(None).statement_cache_capacity(0).disable_statement_logging()
}

impl Pooled {
    pub(crate) async fn open(settings: DatabaseSettings) -> Result<Self, DatabaseError> {
        let url = settings.server.as_ref().map(|server| server.as_str()).unwrap_or_default();
        let wrong = |_| DatabaseError::Address { url: redacted(url) };
        if settings.db_role == DbRole::Login {
            return Err(DatabaseError::PoolerUnfit { problem: NO_LOGINS, source: None });
        }
        let options = client_options(PgConnectOptions::from_str(url).map_err(wrong)?);
        let direct = DatabaseSettings {
            server: settings.direct_server.clone(),
            direct_server: None,
            connections: DIRECT_SESSIONS,
            min_connections: 0,
            active_connections: None,
            ..settings.clone()
        };
        let direct = match Postgres::open(direct).await {
            Err(DatabaseError::Pooler { .. }) => {
                return Err(DatabaseError::PoolerUnfit { problem: probe::DIRECT_IS_NOT, source: None });
            }
            opened => Arc::new(opened?),
        };
        let roles = Arc::clone(&direct.roles);
        let texts =
            Texts::new(settings.busy_timeout, settings.statement_timeout, direct.version, Arc::clone(&roles));
        let pool = Pool::new(options, roles, Limits::of(&settings), Arc::clone(&direct.pool.code));
        let pooled = Self { units: Arc::new(Units::new(pool, texts)), direct };
        let tried = pooled.probe().await;
        if tried.is_err() {
            pooled.close().await;
        }
        tried.map(|()| pooled)
    }

    /// Makes sure that two tenants are apart behind this pooler.
    pub(in super::super) async fn probe(&self) -> Result<(), DatabaseError> {
        probe::probe(&self.units, &self.direct).await
    }

    async fn unit(&self, scope: &Scope, options: &TransactionOptions) -> Result<Unit, DatabaseError> {
        check_life(scope)?;
        let unit = self.units.begin(scope.tenant(), self.direct.target(scope), options).await?;
        // It may have ended while a connection was waited for.
        check_life(scope)?;
        Ok(unit)
    }
}

/// Runs a statement in a unit of its own. What only reads is run once more when the session died under it.
macro_rules! run_alone {
    ($service:expr, $scope:expr, $sql:expr, $run:ident) => {{
        let verdict = judge_alone(&$sql)?;
        let mut again = !(verdict.writes || verdict.session);
        loop {
            let mut unit = $service.unit($scope, &TransactionOptions::default()).await?;
            let ran = match unit.$run(&$sql, verdict).await {
                Ok(value) => unit.commit().await.map(|()| value),
                failed => failed,
            };
            if std::mem::take(&mut again) && ran.as_ref().is_err_and(run::is_broken_by) {
                continue;
            }
            break ran;
        }
    }};
}

impl Backend for Pooled {
    fn dialect(&self) -> DbBackend {
        DbBackend::Postgres
    }

    fn execute<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<ExecResult, DbErr>> {
        async move { run_alone!(self, scope, sql, execute) }.boxed()
    }

    fn query_one<'a>(
        &'a self,
        scope: &'a Scope,
        sql: Sql,
    ) -> BoxFuture<'a, Result<Option<QueryResult>, DbErr>> {
        async move { run_alone!(self, scope, sql, query_one) }.boxed()
    }

    fn query_all<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Vec<QueryResult>, DbErr>> {
        async move { run_alone!(self, scope, sql, query_all) }.boxed()
    }

    #[cfg(feature = "schema-sync")]
    fn driver_rows<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Vec<DriverRow>, DbErr>> {
        async move { run_alone!(self, scope, sql, driver_rows) }.boxed()
    }

    fn stream<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Rows<'static>, DbErr>> {
        async move {
            let verdict = judge_alone(&sql)?;
            let mut unit = self.unit(scope, &TransactionOptions::default()).await?;
            let rows = RowStream::produce(move |table| async move {
                if unit.stream(&sql, verdict, &table).await
                    && let Err(error) = unit.commit().await
                {
                    table.put(Err(error)).await;
                }
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
            let session: Box<dyn Session> = Box::new(PooledSession::new(self.unit(scope, &options).await?));
            Ok(session)
        }
        .boxed()
    }

    fn pin<'a>(&'a self, _: &'a Scope) -> BoxFuture<'a, Result<Box<dyn Session>, DbErr>> {
        async move { Err(DatabaseError::Refused { reason: NO_SESSION }.into()) }.boxed()
    }

    fn only_reads(&self, sql: &Sql) -> bool {
        // What is refused is refused without a transaction of its own as well.
        judge_alone(sql).is_ok_and(|verdict| !(verdict.writes || verdict.session))
    }

    fn provision<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<(), DatabaseError>> {
        self.direct.provision(id)
    }

    fn exists<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        self.direct.exists(id)
    }

    fn tenants(&self) -> BoxFuture<'_, Result<Vec<TenantId>, DatabaseError>> {
        self.direct.tenants()
    }

    fn claim<'a>(
        &'a self,
        id: &'a TenantId,
        removal: bool,
    ) -> BoxFuture<'a, Result<Box<dyn TenantClaim>, DatabaseError>> {
        self.direct.claim(id, removal)
    }

    fn allow_operators(&self, wanted: usize) -> usize {
        self.direct.allow_operators(wanted)
    }

    fn notices(&self) -> Option<BoxStream<'static, ()>> {
        // It takes a session that stays.
        self.direct.notices()
    }

    fn is_served_by_many(&self) -> bool {
        self.direct.is_served_by_many()
    }

    fn remove<'a>(
        &'a self,
        id: &'a TenantId,
        claim: &'a dyn TenantClaim,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async move { self.direct.remove_when(id, claim, async || self.units.evacuate(*id).await).await }
            .boxed()
    }

    fn migrate<'a>(
        &'a self,
        place: Place<'a>,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<MigrationReport, DatabaseError>> {
        self.direct.migrate(place, migrations)
    }

    fn pending<'a>(
        &'a self,
        place: Place<'a>,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<MigrationReport, DatabaseError>> {
        self.direct.pending(place, migrations)
    }

    fn replay<'a>(
        &'a self,
        id: &'a TenantId,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        Backend::replay(&*self.direct, id, migrations)
    }

    fn drift<'a>(
        &'a self,
        ids: &'a [TenantId],
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<Vec<Drift>, DatabaseError>> {
        self.direct.drift(ids, migrations)
    }

    fn send<'a>(&'a self, id: &'a TenantId, out: Outlet) -> BoxFuture<'a, Result<(), DatabaseError>> {
        Backend::send(&*self.direct, id, out)
    }

    fn take<'a>(&'a self, id: &'a TenantId, rows: Inlet) -> BoxFuture<'a, Result<Taken, DatabaseError>> {
        Backend::take(&*self.direct, id, rows)
    }

    fn findings(&self) -> BoxFuture<'_, Result<Vec<Finding>, DatabaseError>> {
        self.direct.findings()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            self.units.close().await;
            self.direct.close().await;
        }
        .boxed()
    }
}
