//! The service: the only door to connections.

use std::sync::Arc;

use futures_util::stream::BoxStream;

use super::backend::{Backend, Place, TenantClaim};
use super::drift::Drift;
use super::sqlite::Sqlite;
use super::{
    DatabaseError, DatabaseSettings, Finding, Form, Inlet, MigrationReport, Migrations, Outlet, SharedDb,
    Taken, TenantDb,
};
use crate::tenancy::{Tenant, TenantId};

/// The database service. Cloning is one reference count.
#[derive(Debug, Clone)]
pub struct Database {
    pub(super) backend: Arc<dyn Backend>,
}

impl Database {
    /// Opens the shared database, making it when it does not exist. Tenant databases are opened when they are used.
    ///
    /// # Errors
    /// When the folder cannot be used, another process serves it, the server cannot be reached, or the program was built
    /// without this kind of database.
    pub(crate) async fn open(settings: DatabaseSettings) -> Result<Self, DatabaseError> {
        #[cfg(feature = "postgres")]
        if settings.direct_server.is_some() {
            return Ok(Self { backend: Arc::new(super::postgres::Pooled::open(settings).await?) });
        }
        if settings.server.is_some() {
            #[cfg(feature = "postgres")]
            return Ok(Self { backend: Arc::new(super::postgres::Postgres::open(settings).await?) });
            #[cfg(not(feature = "postgres"))]
            return Err(DatabaseError::NotBuilt);
        }
        Ok(Self { backend: Arc::new(Sqlite::open(settings).await?) })
    }

    /// A service on a backend that a test keeps a hand on.
    #[cfg(test)]
    pub(super) fn on(backend: Arc<dyn Backend>) -> Self {
        Self { backend }
    }

    /// The handle of a tenant. No I/O.
    pub(crate) fn tenant(&self, tenant: &Tenant) -> TenantDb {
        TenantDb::new(Arc::clone(&self.backend), tenant.clone())
    }

    /// The handle of the shared database. No I/O.
    pub(crate) fn shared(&self) -> SharedDb {
        SharedDb::new(Arc::clone(&self.backend))
    }

    /// The handle of the database that holds the directory of tenants. No I/O. No plugin gets it.
    pub(crate) fn directory(&self) -> SharedDb {
        SharedDb::directory(Arc::clone(&self.backend))
    }

    /// Makes the tenant's database; does nothing when it exists. May be cancelled and run again.
    pub(crate) async fn provision(&self, id: &TenantId) -> Result<(), DatabaseError> {
        self.backend.provision(id).await
    }

    /// Makes the tenant's database with all that its migrations make, if there is none; `false` when it has to be
    /// [made](Database::provision) and migrated. May be cancelled and run again.
    pub(crate) async fn replay(
        &self,
        id: &TenantId,
        migrations: &[Migrations],
    ) -> Result<bool, DatabaseError> {
        self.backend.replay(id, migrations).await
    }

    /// The right to create or delete the tenant, among all processes that work on the data, while the claim is held.
    pub(crate) async fn claim(
        &self,
        id: &TenantId,
        removal: bool,
    ) -> Result<Box<dyn TenantClaim>, DatabaseError> {
        self.backend.claim(id, removal).await
    }

    /// Whether several processes may serve the data at once.
    pub(crate) fn is_served_by_many(&self) -> bool {
        self.backend.is_served_by_many()
    }

    /// An item whenever the directory may have been changed by another process; `None` where it has to be asked.
    pub(crate) fn notices(&self) -> Option<BoxStream<'static, ()>> {
        self.backend.notices()
    }

    /// Whether the tenant has a database. A tenant that works on the shared one always has.
    pub(crate) async fn exists(&self, id: &TenantId) -> Result<bool, DatabaseError> {
        self.backend.exists(id).await
    }

    /// The tenants that have a database of their own, sorted.
    pub(crate) async fn tenants_on_disk(&self) -> Result<Vec<TenantId>, DatabaseError> {
        self.backend.tenants().await
    }

    /// Refuses new users of the tenant's database, waits for those there are, and deletes it. Does nothing when there is
    /// none.
    ///
    /// # Errors
    /// When it stays in use for longer than the drain timeout, a server that has to do it runs beside this process, or the
    /// claim was lost.
    pub(crate) async fn remove(&self, id: &TenantId, claim: &dyn TenantClaim) -> Result<(), DatabaseError> {
        self.backend.remove(id, claim).await
    }

    /// Applies the pending migrations to a tenant's database, plugin by plugin in the order given.
    ///
    /// # Errors
    /// At the first migration that fails; those before it stay applied.
    pub(crate) async fn migrate_tenant(
        &self,
        id: &TenantId,
        migrations: &[Migrations],
    ) -> Result<MigrationReport, DatabaseError> {
        self.backend.migrate(Place::Tenant(id), migrations).await
    }

    /// Applies the pending shared migrations to the shared database.
    ///
    /// # Errors
    /// As [`Database::migrate_tenant`].
    pub(crate) async fn migrate_shared(
        &self,
        migrations: &[Migrations],
    ) -> Result<MigrationReport, DatabaseError> {
        self.backend.migrate(Place::Shared, migrations).await
    }

    /// Applies the pending migrations of the framework itself.
    ///
    /// # Errors
    /// As [`Database::migrate_tenant`].
    pub(crate) async fn migrate_directory(
        &self,
        migrations: &[Migrations],
    ) -> Result<MigrationReport, DatabaseError> {
        self.backend.migrate(Place::Directory, migrations).await
    }

    /// What [`Database::migrate_tenant`] would apply. Changes nothing.
    pub(crate) async fn pending_tenant(
        &self,
        id: &TenantId,
        migrations: &[Migrations],
    ) -> Result<MigrationReport, DatabaseError> {
        self.backend.pending(Place::Tenant(id), migrations).await
    }

    /// What [`Database::migrate_shared`] would apply. Changes nothing.
    pub(crate) async fn pending_shared(
        &self,
        migrations: &[Migrations],
    ) -> Result<MigrationReport, DatabaseError> {
        self.backend.pending(Place::Shared, migrations).await
    }

    /// What the databases of tenants have otherwise than one that all migrations of this program have made. Tenants that work on
    /// the shared one are left out.
    ///
    /// # Errors
    /// [`DatabaseError::NoTemplate`] when there is nothing to compare with.
    pub(crate) async fn drift(
        &self,
        ids: &[TenantId],
        migrations: &[Migrations],
    ) -> Result<Vec<Drift>, DatabaseError> {
        self.backend.drift(ids, migrations).await
    }

    /// How its rows are written when they are sent.
    pub(crate) fn form(&self) -> Form {
        Form::of(self.backend.dialect())
    }

    /// Sends all rows of a tenant's database, as they were at one moment, while it is used.
    ///
    /// # Errors
    /// [`DatabaseError::NotTransferable`]; [`DatabaseError::CutShort`] when nobody takes them any more.
    pub(crate) async fn send(&self, id: &TenantId, out: Outlet) -> Result<(), DatabaseError> {
        self.backend.send(id, out).await
    }

    /// Puts rows into a tenant's database in place of those there are. All that come, or none.
    ///
    /// # Errors
    /// [`DatabaseError::NotTransferable`] when they do not fit; [`DatabaseError::CutShort`] when not all came.
    pub(crate) async fn take(&self, id: &TenantId, rows: Inlet) -> Result<Taken, DatabaseError> {
        self.backend.take(id, rows).await
    }

    /// What is wrong with the rights that the process and its tenants have on a server.
    pub(crate) async fn findings(&self) -> Result<Vec<Finding>, DatabaseError> {
        self.backend.findings().await
    }

    /// Lets so many tenants be made, migrated or dropped at once, as far as the connections go; gives how many.
    pub(crate) fn allow_operators(&self, wanted: usize) -> usize {
        self.backend.allow_operators(wanted)
    }

    /// Refuses new users, waits for those there are for at most the drain timeout, and closes every database.
    pub(crate) async fn close(&self) {
        self.backend.close().await;
    }
}
