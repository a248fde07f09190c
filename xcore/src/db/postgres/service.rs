//! PostgreSQL as a [`Backend`].

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use sea_orm::{DbBackend, DbErr, ExecResult, QueryResult, TransactionOptions};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::OwnedSemaphorePermit;

use super::alone::{alone, stream_alone, verdict_of_query};
use super::claim::{self, Claims};
use super::connection::Connection;
use super::in_full::Texts;
use super::lease::Lease;
use super::operators::Operators;
use super::pg::{prepare_options, with_client_check, with_reads_only, with_statement_timeout};
use super::pool::{Limits, Pool, Way};
use super::replay::Replay;
use super::replica::{Copies, Original};
use super::roles::Roles;
use super::session::PostgresSession;
use super::target::Target;
use super::text::{Verdict, judge};
use super::user_code::{Definition, UserCode};
use super::{migrate, notices, roles, schema, watch};
#[cfg(feature = "schema-sync")]
use crate::db::backend::DriverRow;
use crate::db::backend::{Backend, Place, Replica, Rows, Scope, Session, Sql, TenantClaim, Tended};
use crate::db::drift::Drift;
use crate::db::rows::RowStream;
use crate::db::settings::redacted;
use crate::db::{
    DatabaseError, DatabaseSettings, DbRole, Finding, Inlet, MigrationReport, Migrations, Outlet, Taken,
};
use crate::faults::{Step, reached};
use crate::tenancy::TenantId;

/// How many schemas one process makes, migrates or drops at once: each takes a session beside those of the pool.
const OPERATORS: usize = 8;

/// A server.
#[derive(Debug)]
pub(crate) struct Postgres {
    pub(super) pool: Arc<Pool>,
    pub(super) texts: Arc<Texts>,
    /// Of the server, as a number such as 150003.
    pub(super) version: Option<u32>,
    /// What the sessions beside the pool are opened with.
    pub(super) options: PgConnectOptions,
    pub(super) isolate: bool,
    pub(super) roles: Arc<Roles>,
    claims: Arc<Claims>,
    /// How many schemas this process works on at once.
    pub(super) operators: Operators,
    /// How long a removal waits for a migration of the same schema.
    pub(super) drain_timeout: Duration,
    pub(super) copies: Copies,
    pub(super) replay: Replay,
}

impl Postgres {
    pub(crate) async fn open(settings: DatabaseSettings) -> Result<Self, DatabaseError> {
        Self::open_as(settings, None).await
    }

    /// Opens a server, or the copy of one.
    pub(super) async fn open_as(
        settings: DatabaseSettings,
        copied: Option<Original>,
    ) -> Result<Self, DatabaseError> {
        let url = settings.server.as_ref().map(|server| server.as_str()).unwrap_or_default();
        let wrong = |_| DatabaseError::Address { url: redacted(url) };
        let options = prepare_options(PgConnectOptions::from_str(url).map_err(wrong)?, settings.busy_timeout);
        // Stops a start with a wrong address, and not the first request.
        let mut first = Connection::open(&options, Instant::now()).await?;
        let mut second = Connection::open(&options, Instant::now()).await?;
        first.session.refuse_pooler(&mut second.session).await?;
        second.close().await;
        // A copy has what its primary makes, and is read with the rights of the app's login.
        let mode = if copied.is_some() { DbRole::Shared } else { settings.db_role };
        if copied.is_none() {
            schema::create_directory(first.raw()).await?;
        }
        let roles = Roles::open(first.raw(), mode).await?;
        if copied.is_none() {
            for finding in roles::findings(first.raw(), &roles).await? {
                tracing::warn!("{}", finding.text);
            }
        }
        let version = first.raw().server_version_num();
        let mut options = with_client_check(options, version);
        let (copies, code) = if let Some(original) = copied {
            options = with_reads_only(options);
            (Copies::copy(original.numbers), Arc::new(UserCode::of_copy(original.code)))
        } else {
            let code = Arc::<UserCode>::default();
            (Copies::of(first.raw(), &settings, &code).await, code)
        };
        let limits = Limits::of(&settings);
        let active = limits.active;
        code.ask(first.raw()).await?;
        first.close().await;
        let served = with_statement_timeout(options.clone(), settings.statement_timeout);
        let pool = Pool::new(served, Arc::clone(&roles), limits, code);
        pool.runtime.spawn(watch::watch(Arc::downgrade(&pool)));
        Ok(Self {
            pool,
            roles,
            claims: Claims::new(options.clone()),
            operators: Operators::new(OPERATORS, active),
            texts: Arc::default(),
            version,
            options,
            isolate: settings.isolate,
            drain_timeout: settings.drain_timeout,
            copies,
            replay: Replay::default(),
        })
    }

    /// Whether the directory of an app is kept here.
    pub(crate) async fn holds_a_directory(&self) -> Result<bool, DatabaseError> {
        let mut lease = self.pool.lend(Target::Directory).await?;
        let connection = lease.start(Verdict::default()).await.map_err(DatabaseError::of)?;
        let found = schema::holds_a_directory(connection).await;
        lease.finish(None);
        found
    }

    /// Whether this tenant works on the shared schema.
    pub(super) fn is_shared(&self, id: &TenantId) -> bool {
        !self.isolate || id.is_public()
    }

    fn target_of(&self, id: &TenantId) -> Target {
        if self.is_shared(id) { Target::Public } else { Target::Tenant(*id) }
    }

    pub(super) fn target(&self, scope: &Scope) -> Target {
        match scope {
            Scope::Tenant(tenant) => match (self.target_of(tenant.id()), self.copies.number_here(tenant)) {
                (Target::Tenant(id), Some(number)) => Target::Copy(id, number),
                (target, _) => target,
            },
            Scope::Shared => Target::Public,
            Scope::Directory => Target::Directory,
        }
    }

    fn place(&self, place: Place<'_>) -> Target {
        match place {
            Place::Tenant(id) => self.target_of(id),
            Place::Shared => Target::Public,
            Place::Directory => Target::Directory,
        }
    }

    async fn lease(&self, scope: &Scope) -> Result<Lease, DatabaseError> {
        check_life(scope)?;
        let lease = self.pool.lend_for(scope.tenant(), self.target(scope), Way::Switched).await?;
        // It may have ended while a session was waited for.
        check_life(scope)?;
        Ok(lease)
    }

    /// Waits for the right to work on a schema, in a session beside those of the pool.
    pub(super) async fn operate(&self) -> Result<OwnedSemaphorePermit, DatabaseError> {
        let permit = self.operators.acquire().await?;
        if self.pool.is_closed() { Err(DatabaseError::Closed) } else { Ok(permit) }
    }

    /// A session for work on schemas. It is closed afterwards, also when the caller goes away.
    pub(super) async fn operator(&self) -> Result<(Connection, OwnedSemaphorePermit), DatabaseError> {
        let permit = self.operate().await?;
        Ok((Connection::open(&self.options, Instant::now()).await?, permit))
    }

    /// Gives a tenant's schema the role that the mode asks for.
    async fn settle(&self, id: &TenantId, makes: bool) -> Result<(), DatabaseError> {
        let (mut operator, _permit) = self.operator().await?;
        // Given free with the session.
        claim::wait_for(operator.raw(), schema::lock_key(Target::Tenant(*id))).await?;
        let settled = self.roles.settle(operator.raw(), id, makes).await;
        operator.close().await;
        settled
    }

    /// A tenant that was made in another mode becomes one of this mode before it is migrated.
    async fn take_over(&self, target: Target) -> Result<(), DatabaseError> {
        let Target::Tenant(id) = target else { return Ok(()) };
        if !self.roles.are_used() {
            let mut lease = self.pool.lend(Target::Directory).await?;
            let connection = lease.start(Verdict::default()).await.map_err(DatabaseError::of)?;
            let was_used = self.roles.is_owner(connection, &id).await;
            lease.finish(None);
            if !was_used? {
                return Ok(());
            }
        }
        self.settle(&id, false).await?;
        self.pool.doubt(target);
        Ok(())
    }
}

impl Postgres {
    /// Removes a tenant whose users have left, here and elsewhere; what `elsewhere` gives is held until the schema is gone.
    pub(super) async fn remove_when<G: Send + 'static>(
        &self,
        id: &TenantId,
        claim: &dyn TenantClaim,
        elsewhere: impl AsyncFnOnce() -> Result<G, DatabaseError>,
    ) -> Result<(), DatabaseError> {
        if self.is_shared(id) {
            return Err(DatabaseError::NotRemovable { tenant: *id });
        }
        let evacuated = (self.pool.evacuate(*id).await?, elsewhere().await?);
        reached(Step::PurgeEvacuated);
        let (mut operator, permit) = self.operator().await?;
        let id = *id;
        let (lock, waited) = (schema::lock_key(Target::Tenant(id)), self.drain_timeout);
        if !claim::wait_for_at_most(operator.raw(), lock, waited).await? {
            return Err(DatabaseError::StillUsed { tenant: id, waited });
        }
        // Behind the lock, see `claim.rs`.
        claim.check().await?;
        // In one piece, also when the caller goes away: nobody may begin to use a schema that is being dropped.
        let (plain, roles) = (Arc::clone(&self.pool), Arc::clone(&self.roles));
        let dropping = self.pool.runtime.spawn(async move {
            let dropped = async {
                plain.close_login(&id).await;
                roles.lock_out(operator.raw(), &id).await?;
                reached(Step::PurgeLockedOut);
                schema::drop(operator.raw(), &id).await?;
                reached(Step::PurgeSchemaDropped);
                roles.drop_role(operator.raw(), &id).await?;
                reached(Step::PurgeRoleDropped);
                Ok(())
            }
            .await;
            operator.close().await;
            plain.plain.doubt(&id);
            drop((evacuated, permit));
            dropped
        });
        dropping.await.unwrap_or(Err(DatabaseError::Closed))
    }
}

/// Doubts what is known of a schema when a change of it has ended.
pub(super) struct Doubts {
    pool: Arc<Pool>,
    target: Target,
    _definition: Definition,
}

impl Doubts {
    pub(super) fn of(pool: &Arc<Pool>, target: Target) -> Self {
        let _definition = pool.code.define(target);
        pool.plain.doubt_what(target);
        Self { pool: Arc::clone(pool), target, _definition }
    }
}

impl Drop for Doubts {
    fn drop(&mut self) {
        self.pool.doubt(self.target);
        self.pool.plain.doubt_what(self.target);
    }
}

/// Another tenant may have the name by now.
pub(super) fn check_life(scope: &Scope) -> Result<(), DatabaseError> {
    match scope {
        Scope::Tenant(tenant) if tenant.has_ended() => Err(DatabaseError::Missing { tenant: *tenant.id() }),
        _ => Ok(()),
    }
}

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
                    let lease = self.pool.lend_for(scope.tenant(), Target::Tenant(id), Way::InFull).await?;
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

    fn rename<'a>(
        &'a self,
        id: &'a TenantId,
        to: &'a TenantId,
        claim: &'a dyn TenantClaim,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        let elsewhere = async || Ok((self.copies.evacuate(*id).await?, self.copies.evacuate(*to).await?));
        async move { self.rename_when(id, to, claim, elsewhere).await }.boxed()
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

    fn take_spare<'a>(
        &'a self,
        id: &'a TenantId,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        Postgres::take_spare(self, id, migrations).boxed()
    }

    fn tend_spares<'a>(
        &'a self,
        wanted: usize,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<Tended, DatabaseError>> {
        self.tend(wanted, migrations).boxed()
    }

    fn spares<'a>(&'a self, migrations: &'a [Migrations]) -> BoxFuture<'a, Result<usize, DatabaseError>> {
        self.count_spares(migrations).boxed()
    }

    fn drift<'a>(
        &'a self,
        ids: &'a [TenantId],
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<Vec<Drift>, DatabaseError>> {
        self.compare(ids, migrations).boxed()
    }

    fn send<'a>(&'a self, id: &'a TenantId, out: Outlet) -> BoxFuture<'a, Result<(), DatabaseError>> {
        self.send_rows(id, out).boxed()
    }

    fn take<'a>(&'a self, id: &'a TenantId, rows: Inlet) -> BoxFuture<'a, Result<Taken, DatabaseError>> {
        self.take_rows(id, rows).boxed()
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
