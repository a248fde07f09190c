//! The databases of an app: one, or several servers that share its tenants.
//!
//! The first server holds the directory of tenants, the claims on them and the shared tables. The data of a tenant is on the server
//! that the directory names, and its handle is made on that server: nothing is decided per statement. A tenant whose server
//! is not there is an error, never a tenant of another one (I5).

use std::sync::Arc;
#[cfg(feature = "postgres")]
use std::sync::Weak;
#[cfg(feature = "postgres")]
use std::time::Duration;

use futures_util::stream::BoxStream;

#[cfg(feature = "postgres")]
use super::backend::Backend;
use super::backend::TenantClaim;
use super::late::Late;
use super::{
    Database, DatabaseError, DatabaseSettings, Finding, Form, MigrationReport, Migrations, SharedDb, TenantDb,
};
use crate::tenancy::{Tenant, TenantId};

/// How long a server that is not the first may take to answer at start.
#[cfg(feature = "postgres")]
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a server that was not reached rests before it is tried again.
#[cfg(feature = "postgres")]
const AGAIN_AFTER: Duration = Duration::from_secs(3);

/// One server and what the configuration calls it.
#[derive(Debug, Clone)]
pub(crate) struct ServerSettings {
    /// `None` for the only database of an app.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) settings: DatabaseSettings,
}

/// The databases of an app. Cloning is one reference count.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    /// The first one, and the others behind it. Never empty.
    all: Arc<[Server]>,
}

#[derive(Debug)]
struct Server {
    name: Option<Arc<str>>,
    database: Database,
    /// Of one that was not reached at start.
    late: Option<Arc<Late>>,
    #[cfg(test)]
    mutant: std::sync::atomic::AtomicBool,
}

impl Server {
    fn new(name: Option<Arc<str>>, database: Database, late: Option<Arc<Late>>) -> Self {
        Self {
            name,
            database,
            late,
            #[cfg(test)]
            mutant: Default::default(),
        }
    }

    fn is_open(&self) -> bool {
        self.late.as_ref().is_none_or(|late| late.is_open())
    }
}

impl Servers {
    /// Opens all of them. One that cannot be reached, and is not the first, is opened as soon as it can be.
    ///
    /// # Errors
    /// When the first one cannot be opened, or another one answers and cannot be used.
    pub(crate) async fn open(settings: Vec<ServerSettings>) -> Result<Self, DatabaseError> {
        let mut all = Vec::with_capacity(settings.len());
        for ServerSettings { name, settings } in settings {
            let server = match &name {
                None => Server::new(None, Database::open(settings).await?, None),
                Some(called) if all.is_empty() => {
                    let opened = Database::open(settings).await;
                    Server::new(name.clone(), opened.map_err(|source| of_server(called, source))?, None)
                }
                #[cfg(feature = "postgres")]
                Some(called) => open_other(called, settings).await?,
                #[cfg(not(feature = "postgres"))]
                Some(_) => return Err(DatabaseError::NotBuilt),
            };
            all.push(server);
        }
        Ok(Self { all: all.into() })
    }

    /// The server that the directory names for a tenant.
    ///
    /// # Errors
    /// [`DatabaseError::UnknownServer`].
    pub(crate) fn at(&self, id: &TenantId, server: Option<&str>) -> Result<&Database, DatabaseError> {
        #[cfg(test)]
        if self.all[0].mutant.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(self.first());
        }
        let Some(server) = server else { return Ok(self.first()) };
        let found = self.all.iter().find(|other| other.name.as_deref() == Some(server));
        let unknown = || DatabaseError::UnknownServer { tenant: *id, server: server.to_owned() };
        found.map(|server| &server.database).ok_or_else(unknown)
    }

    fn first(&self) -> &Database {
        // There is always one, see `open`.
        &self.all[0].database
    }

    /// The handle of a tenant, on its server. No I/O.
    pub(crate) fn tenant(&self, tenant: &Tenant) -> TenantDb {
        match self.at(tenant.id(), tenant.server()) {
            Ok(database) => database.tenant(tenant),
            Err(unknown) => TenantDb::new(Arc::new(Late::new(unknown)), tenant.clone()),
        }
    }

    /// The names of the servers that tenants can be placed on now, the first one first. Empty where there is only one database.
    pub(crate) fn open_names(&self) -> Vec<Arc<str>> {
        self.all.iter().filter(|server| server.is_open()).filter_map(|server| server.name.clone()).collect()
    }

    /// Those that can be used now.
    pub(crate) fn open_databases(&self) -> impl Iterator<Item = &Database> {
        self.all.iter().filter(|server| server.is_open()).map(|server| &server.database)
    }

    /// The same, each with its number, which stays.
    pub(crate) fn open_numbered(&self) -> impl Iterator<Item = (usize, &Database)> {
        let open = self.all.iter().enumerate().filter(|(_, server)| server.is_open());
        open.map(|(number, server)| (number, &server.database))
    }

    /// Whether each tenant's data is a file of this process.
    pub(crate) fn is_sqlite(&self) -> bool {
        sea_orm::ConnectionTrait::get_database_backend(&self.directory()) == sea_orm::DbBackend::Sqlite
    }

    /// The names of all servers. Empty where there is only one database.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.all.iter().filter_map(|server| server.name.clone()).collect()
    }

    /// Whether the server is one of those of the configuration and is still waited for.
    pub(crate) fn is_awaited(&self, server: Option<&str>) -> bool {
        let is_it = |other: &&Server| server.is_some() && other.name.as_deref() == server;
        self.all.iter().find(is_it).is_some_and(|server| !server.is_open())
    }

    /// The handle of the shared database. No I/O.
    pub(crate) fn shared(&self) -> SharedDb {
        self.first().shared()
    }

    /// The handle of the database that holds the directory of tenants. No I/O. No plugin gets it.
    pub(crate) fn directory(&self) -> SharedDb {
        self.first().directory()
    }

    /// An item whenever the directory may have been changed by another process; see [`Database::notices`]. What its first server
    /// tells, which takes every change; a replica cannot be listened to.
    pub(crate) fn notices(&self) -> Option<BoxStream<'static, ()>> {
        self.first().notices()
    }

    /// How rows of tenants are written when they are sent: all servers are of one kind.
    pub(crate) fn form(&self) -> Form {
        self.first().form()
    }

    /// The right to create or delete a tenant, wherever its data is; see [`Database::claim`].
    pub(crate) async fn claim(
        &self,
        id: &TenantId,
        removal: bool,
    ) -> Result<Box<dyn TenantClaim>, DatabaseError> {
        self.first().claim(id, removal).await
    }

    /// The only database of an app, as an open directory asks it: `xcore.yaml` has no such directory with several servers.
    pub(crate) fn only(&self) -> &Database {
        self.first()
    }

    /// Applies the pending shared migrations to the shared database.
    pub(crate) async fn migrate_shared(
        &self,
        migrations: &[Migrations],
    ) -> Result<MigrationReport, DatabaseError> {
        self.first().migrate_shared(migrations).await
    }

    /// Applies the pending migrations of the framework itself.
    pub(crate) async fn migrate_directory(
        &self,
        migrations: &[Migrations],
    ) -> Result<MigrationReport, DatabaseError> {
        self.first().migrate_directory(migrations).await
    }

    /// What [`Servers::migrate_shared`] would apply. Changes nothing.
    pub(crate) async fn pending_shared(
        &self,
        migrations: &[Migrations],
    ) -> Result<MigrationReport, DatabaseError> {
        self.first().pending_shared(migrations).await
    }

    /// What is wrong with the rights on each of them.
    pub(crate) async fn findings(&self) -> Result<Vec<Finding>, DatabaseError> {
        let mut findings = Vec::new();
        for server in &*self.all {
            let Some(name) = &server.name else { return server.database.findings().await };
            if !server.is_open() {
                let text = format!("server `{name}` has not been reached, so its rights were not looked at");
                findings.push(Finding { is_serious: true, text });
                continue;
            }
            let found = server.database.findings().await.map_err(|source| of_server(name, source))?;
            findings.extend(found.into_iter().map(|Finding { is_serious, text }| Finding {
                is_serious,
                text: format!("server `{name}`: {text}"),
            }));
        }
        Ok(findings)
    }

    /// How many tenants may be worked on at once when so many are wanted: as many as on the server that allows the most, since
    /// each server makes those wait that are too many for it.
    pub(crate) fn allow_operators(&self, wanted: usize) -> usize {
        self.all.iter().map(|server| server.database.allow_operators(wanted)).max().unwrap_or(wanted)
    }

    /// Refuses new users, waits for those there are for at most the drain timeout, and closes every database.
    pub(crate) async fn close(&self) {
        futures_util::future::join_all(self.all.iter().map(|server| server.database.close())).await;
    }

    /// A mutant: every tenant is looked for on the first server.
    #[cfg(all(test, feature = "postgres"))]
    pub(super) fn always_ask_the_first(&self) {
        self.all[0].mutant.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

fn of_server(name: &str, source: DatabaseError) -> DatabaseError {
    DatabaseError::OfServer { server: name.to_owned(), source: Box::new(source) }
}

/// Opens a server that is not the first.
#[cfg(feature = "postgres")]
async fn open_other(name: &Arc<str>, settings: DatabaseSettings) -> Result<Server, DatabaseError> {
    let problem = match open_backend(name, settings.clone()).await {
        Ok(backend) => return Ok(Server::new(Some(Arc::clone(name)), Database { backend }, None)),
        Err(problem) if problem.is_unavailable() => problem,
        Err(problem) => return Err(problem),
    };
    tracing::warn!(
        server = %name,
        error = %with_causes(&problem),
        "a database server cannot be reached; its tenants are not served until it can"
    );
    let late = Arc::new(Late::new(DatabaseError::NotReached { server: name.to_string() }));
    tokio::spawn(keep_trying(Arc::downgrade(&late), Arc::clone(name), settings));
    let backend: Arc<dyn Backend> = Arc::clone(&late) as _;
    Ok(Server::new(Some(Arc::clone(name)), Database { backend }, Some(late)))
}

#[cfg(feature = "postgres")]
async fn open_backend(name: &str, settings: DatabaseSettings) -> Result<Arc<dyn Backend>, DatabaseError> {
    let opening = async {
        let postgres = super::postgres::Postgres::open(settings).await?;
        if postgres.holds_a_directory().await? {
            return Err(DatabaseError::SecondDirectory { server: name.to_owned() });
        }
        let backend: Arc<dyn Backend> = Arc::new(postgres);
        Ok(backend)
    };
    match tokio::time::timeout(PATIENCE, opening).await {
        Ok(opened) => opened.map_err(|source| of_server(name, source)),
        Err(_late) => Err(of_server(name, sqlx::Error::PoolTimedOut.into())),
    }
}

/// Opens a server when it can be reached, unless the app has ended by then.
#[cfg(feature = "postgres")]
async fn keep_trying(late: Weak<Late>, name: Arc<str>, settings: DatabaseSettings) {
    let mut said = String::new();
    loop {
        tokio::time::sleep(AGAIN_AFTER).await;
        if late.upgrade().is_none_or(|late| late.is_closed()) {
            return;
        }
        match open_backend(&name, settings.clone()).await {
            Ok(backend) => {
                if late.upgrade().is_none_or(|late| !late.open(Arc::clone(&backend))) {
                    return backend.close().await;
                }
                return tracing::info!(server = %name, "the database server can be reached");
            }
            Err(problem) => {
                let problem = with_causes(&problem);
                if problem != said {
                    tracing::warn!(server = %name, error = %problem, "the database server cannot be used yet");
                    said = problem;
                }
            }
        }
    }
}

#[cfg(feature = "postgres")]
fn with_causes(problem: &DatabaseError) -> String {
    let mut text = problem.to_string();
    let mut cause = std::error::Error::source(problem);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
