//! SQLite as a [`Backend`].

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use sea_orm::{DbBackend, DbErr, ExecResult, QueryResult, TransactionOptions};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::claim::{self, Claim};
use super::connection::{Connection, Target};
use super::file::{FileUser, Limits, OpenFile};
use super::layout::{self, Found, Layout};
use super::lease::Lease;
use super::registry::Registry;
use super::session::{Begin, SqliteSession};
use super::text::{Verdict, judge};
use super::{migrate, run};
#[cfg(feature = "schema-sync")]
use crate::db::backend::DriverRow;
use crate::db::backend::{Backend, Place, Rows, Scope, Session, Sql, TenantClaim, Tended};
use crate::db::drift::Drift;
use crate::db::rows::RowStream;
use crate::db::{
    DatabaseError, DatabaseSettings, Inlet, MigrationReport, Migrations, OpenMode, Outlet, Taken,
};
use crate::faults::{Step, reached};
use crate::tenancy::TenantId;

/// How long another process may take to create or delete a tenant that this one wants to. Hooks of plugins run meanwhile.
const CLAIM_WAIT: Duration = Duration::from_secs(60);

/// The embedded database.
#[derive(Debug)]
pub(crate) struct Sqlite {
    pub(super) registry: Arc<Registry>,
    pub(super) layout: Layout,
    pub(super) limits: Arc<Limits>,
    pub(super) isolate: bool,
    /// Held for as long as this process serves.
    serving: std::sync::Mutex<Option<Claim>>,
    pub(super) mode: OpenMode,
    /// One change of files at a time in this process; [`Claim::change_files`] does the same among processes.
    pub(super) changing: Mutex<()>,
    pub(super) copying: super::template::Copying,
}

impl Sqlite {
    pub(crate) async fn open(settings: DatabaseSettings) -> Result<Self, DatabaseError> {
        let layout = Layout::prepare(&settings.folder)?;
        let serving = match settings.mode {
            OpenMode::Exclusive => Some(Claim::serve(&layout)?),
            OpenMode::Beside => None,
        };
        if serving.is_some() {
            claim::TenantClaim::sweep(&layout);
        }
        let limits = Arc::new(Limits {
            max_open: settings.max_open.clamp(1, tokio::sync::Semaphore::MAX_PERMITS),
            connections: settings.connections.clamp(1, tokio::sync::Semaphore::MAX_PERMITS),
            busy_timeout: settings.busy_timeout,
            acquire_timeout: settings.acquire_timeout,
            drain_timeout: settings.drain_timeout,
            runtime: Handle::current(),
            waiting: Default::default(),
            mutants: Default::default(),
        });
        let sqlite = Self {
            registry: Registry::new(layout.clone(), Arc::clone(&limits)),
            layout,
            limits,
            isolate: settings.isolate,
            serving: std::sync::Mutex::new(serving),
            mode: settings.mode,
            changing: Mutex::new(()),
            copying: Default::default(),
        };
        sqlite.warn_of_few_descriptors();
        for own in [sqlite.registry.shared()?, sqlite.registry.directory()?] {
            sqlite.make(&own.file().target).await?;
            // Opens one connection now, so that a damaged file stops the start and not the first request.
            OpenFile::lend(own, false).await?;
        }
        Ok(sqlite)
    }

    fn warn_of_few_descriptors(&self) {
        let Some(allowed) = layout::descriptor_limit() else {
            return;
        };
        // A connection has the tenant's file and log and the shared file and log; a file has one index of its log.
        let per_tenant = self.limits.connections.saturating_mul(4).saturating_add(1);
        let needed = self.limits.max_open.saturating_mul(per_tenant);
        if self.isolate && self.mode == OpenMode::Exclusive && needed > allowed {
            tracing::warn!(
                needed,
                allowed,
                "with max_open = {} and connections = {} the tenant databases may need more open files than this process \
                 is allowed; raise the limit (ulimit -n) or lower one of the two",
                self.limits.max_open,
                self.limits.connections,
            );
        }
    }

    /// Whether this tenant works on the shared file.
    pub(super) fn is_shared(&self, id: &TenantId) -> bool {
        !self.isolate || id.is_public()
    }

    async fn file(&self, scope: &Scope) -> Result<FileUser, DatabaseError> {
        match scope {
            // Another tenant may have the name by now.
            Scope::Tenant(tenant) if tenant.has_ended() => {
                Err(DatabaseError::Missing { tenant: *tenant.id() })
            }
            Scope::Tenant(tenant) => self.file_of(Place::Tenant(tenant.id())).await,
            Scope::Shared => self.registry.shared(),
            Scope::Directory => self.registry.directory(),
        }
    }

    async fn file_of(&self, place: Place<'_>) -> Result<FileUser, DatabaseError> {
        match place {
            Place::Tenant(id) if !self.is_shared(id) => self.registry.tenant(id).await,
            Place::Tenant(_) | Place::Shared => self.registry.shared(),
            Place::Directory => self.registry.directory(),
        }
    }

    /// A file that a connection has found to be one of ours.
    pub(super) async fn trusted(&self, place: Place<'_>) -> Result<FileUser, DatabaseError> {
        let user = self.file_of(place).await?;
        drop(OpenFile::lend(user.again(), false).await?);
        Ok(user)
    }

    async fn lease(&self, scope: &Scope, verdict: Verdict) -> Result<Lease, DatabaseError> {
        OpenFile::lend_to(scope.tenant(), self.file(scope).await?, verdict.writes).await
    }

    /// Makes a file that does not exist, and finishes one whose making was cut short.
    async fn make(&self, target: &Target) -> Result<(), DatabaseError> {
        let _one = self.changing.lock().await;
        let claim = self.change_files().await?;
        if layout::look(&target.path) == Found::Nothing {
            layout::create(&target.path)?;
        }
        let made = Connection::initialise(target).await;
        drop(claim);
        made
    }

    pub(super) async fn change_files(&self) -> Result<Claim, DatabaseError> {
        let (layout, wait) = (self.layout.clone(), self.limits.drain_timeout);
        blocking(move || Claim::change_files(&layout, wait)).await
    }

    #[cfg(test)]
    pub(crate) fn open_files(&self) -> usize {
        self.registry.count()
    }

    #[cfg(test)]
    pub(crate) fn break_rule_two(&self) {
        self.limits.mutants.reuse_anything.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// What a process holds that creates or deletes a tenant.
struct Claims {
    _held: (Option<Claim>, claim::TenantClaim),
}

impl TenantClaim for Claims {
    fn check(&self) -> BoxFuture<'_, Result<(), DatabaseError>> {
        // A lock on a file is lost with the process only.
        std::future::ready(Ok(())).boxed()
    }
}

/// Runs file work on a thread where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DatabaseError> + Send + 'static,
) -> Result<T, DatabaseError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // The runtime is shutting down; the work itself does not panic.
        Err(_stopped) => Err(DatabaseError::Closed),
    }
}

pub(super) fn verdict_of(sql: &Sql) -> Result<Verdict, DatabaseError> {
    judge(&sql.text).map_err(|reason| DatabaseError::Refused { reason })
}

/// A text that controls a transaction must be one that gives no rows, so that what it left open is found.
pub(super) fn verdict_of_query(sql: &Sql) -> Result<Verdict, DatabaseError> {
    match verdict_of(sql)? {
        Verdict { transaction: true, .. } => {
            Err(DatabaseError::Refused { reason: "a query cannot begin or end a transaction; use begin()" })
        }
        verdict => Ok(verdict),
    }
}

/// Runs a statement outside of a transaction.
pub(super) async fn execute_alone(
    lease: &mut Lease,
    sql: Sql,
    verdict: Verdict,
) -> Result<ExecResult, DbErr> {
    let mut result = run::execute(lease.start(verdict).await?, sql).await;
    if verdict.transaction && result.is_ok() {
        lease.finish(None);
        // Succeeds when a transaction is open, and then nothing of it was kept.
        if run::control(lease.start(verdict).await?, "ROLLBACK").await.is_ok() {
            result = Err(DatabaseError::TransactionLeftOpen.into());
        }
    }
    lease.finish(result.as_ref().err());
    result
}

impl Backend for Sqlite {
    fn dialect(&self) -> DbBackend {
        DbBackend::Sqlite
    }

    fn execute<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<ExecResult, DbErr>> {
        async move {
            let verdict = verdict_of(&sql)?;
            let mut lease = self.lease(scope, verdict).await?;
            execute_alone(&mut lease, sql, verdict).await
        }
        .boxed()
    }

    fn query_one<'a>(
        &'a self,
        scope: &'a Scope,
        sql: Sql,
    ) -> BoxFuture<'a, Result<Option<QueryResult>, DbErr>> {
        async move {
            let verdict = verdict_of_query(&sql)?;
            let mut lease = self.lease(scope, verdict).await?;
            let result = run::query_one(lease.start(verdict).await?, sql, !verdict.writes).await;
            lease.finish(result.as_ref().err());
            result
        }
        .boxed()
    }

    fn query_all<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Vec<QueryResult>, DbErr>> {
        async move {
            let verdict = verdict_of_query(&sql)?;
            let mut lease = self.lease(scope, verdict).await?;
            let result = run::query_all(lease.start(verdict).await?, sql).await;
            lease.finish(result.as_ref().err());
            result
        }
        .boxed()
    }

    #[cfg(feature = "schema-sync")]
    fn driver_rows<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Vec<DriverRow>, DbErr>> {
        async move {
            let verdict = verdict_of_query(&sql)?;
            let mut lease = self.lease(scope, verdict).await?;
            let result = run::driver_rows(lease.start(verdict).await?, sql).await;
            lease.finish(result.as_ref().err());
            result
        }
        .boxed()
    }

    fn stream<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Rows<'static>, DbErr>> {
        async move {
            let verdict = verdict_of_query(&sql)?;
            let mut lease = self.lease(scope, verdict).await?;
            let rows = RowStream::produce(move |table| async move {
                let connection = match lease.start(verdict).await {
                    Ok(connection) => connection,
                    Err(error) => return table.put(Err(error.into())).await,
                };
                let mut failed = None;
                let mut rows = run::stream(connection, sql);
                while let Some(row) = rows.next().await {
                    failed = row.as_ref().err().cloned();
                    table.put(row).await;
                }
                drop(rows);
                lease.finish(failed.as_ref());
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
            let begin = Begin::of(&options);
            let lease = OpenFile::lend_to(scope.tenant(), self.file(scope).await?, begin.writes()).await?;
            let session: Box<dyn Session> = Box::new(SqliteSession::begin(lease, begin).await?);
            Ok(session)
        }
        .boxed()
    }

    fn pin<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Box<dyn Session>, DbErr>> {
        async move {
            let lease = OpenFile::lend_to(scope.tenant(), self.file(scope).await?, false).await?;
            let session: Box<dyn Session> = Box::new(SqliteSession::pin(lease));
            Ok(session)
        }
        .boxed()
    }

    fn only_reads(&self, sql: &Sql) -> bool {
        // A text that is refused is refused without a transaction as well.
        let Ok(verdict) = verdict_of_query(sql) else { return true };
        !verdict.writes && !verdict.session && !verdict.schema
    }

    fn provision<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async move { if self.is_shared(id) { Ok(()) } else { self.make(&self.registry.target(id)).await } }
            .boxed()
    }

    fn exists<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        async move {
            if self.is_shared(id) {
                return Ok(true);
            }
            let path = self.layout.tenant(id);
            let tenant = *id;
            blocking(move || match layout::look(&path) {
                Found::File => Ok(true),
                Found::Nothing => Ok(false),
                Found::Odd(problem) => Err(DatabaseError::Odd { tenant, problem }),
            })
            .await
        }
        .boxed()
    }

    fn tenants(&self) -> BoxFuture<'_, Result<Vec<TenantId>, DatabaseError>> {
        let layout = self.layout.clone();
        blocking(move || layout.tenants()).boxed()
    }

    fn claim<'a>(
        &'a self,
        id: &'a TenantId,
        removal: bool,
    ) -> BoxFuture<'a, Result<Box<dyn TenantClaim>, DatabaseError>> {
        async move {
            let not_served = match self.mode {
                OpenMode::Beside if removal => Some(Claim::not_served(&self.layout)?),
                OpenMode::Beside | OpenMode::Exclusive => None,
            };
            let (layout, id) = (self.layout.clone(), *id);
            let tenant = blocking(move || claim::TenantClaim::take(&layout, &id, CLAIM_WAIT)).await?;
            let claim: Box<dyn TenantClaim> = Box::new(Claims { _held: (not_served, tenant) });
            Ok(claim)
        }
        .boxed()
    }

    fn is_served_by_many(&self) -> bool {
        false
    }

    fn remove<'a>(
        &'a self,
        id: &'a TenantId,
        _claim: &'a dyn TenantClaim,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async move {
            if self.is_shared(id) {
                return Err(DatabaseError::NotRemovable { tenant: *id });
            }
            // A server beside this process would go on writing to the deleted file.
            let _not_served = match self.mode {
                OpenMode::Exclusive => None,
                OpenMode::Beside => Some(Claim::not_served(&self.layout)?),
            };
            let evacuated = self.registry.evacuate(id).await?;
            reached(Step::PurgeEvacuated);
            let claim = self.change_files().await?;
            let path = self.layout.tenant(id);
            // In one piece, also when the caller goes away: nobody may open a file that is being deleted.
            let deleting = self.limits.runtime.spawn_blocking(move || {
                let deleted = layout::delete(&path);
                drop((claim, evacuated));
                deleted
            });
            deleting.await.unwrap_or(Err(DatabaseError::Closed))
        }
        .boxed()
    }

    fn rename<'a>(
        &'a self,
        id: &'a TenantId,
        to: &'a TenantId,
        _claim: &'a dyn TenantClaim,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        self.rename_file(id, to).boxed()
    }

    fn migrate<'a>(
        &'a self,
        place: Place<'a>,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<MigrationReport, DatabaseError>> {
        async move {
            let user = self.trusted(place).await?;
            migrate::migrate(user.file(), &self.layout, place, migrations).await
        }
        .boxed()
    }

    fn pending<'a>(
        &'a self,
        place: Place<'a>,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<MigrationReport, DatabaseError>> {
        async move {
            let user = self.trusted(place).await?;
            migrate::pending(&user.file().target, place, migrations).await
        }
        .boxed()
    }

    fn replay<'a>(
        &'a self,
        id: &'a TenantId,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        self.copy_template(id, migrations).boxed()
    }

    fn take_spare<'a>(
        &'a self,
        id: &'a TenantId,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        Sqlite::take_spare(self, id, migrations).boxed()
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

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            self.registry.close().await;
            // The next server may start.
            self.serving.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        }
        .boxed()
    }
}
