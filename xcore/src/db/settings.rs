//! How the database service is set up.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::DatabaseError;

/// What a [`Database`](super::Database) is opened with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DatabaseSettings {
    /// The folder that holds the files, for the embedded database.
    pub folder: PathBuf,
    /// The server that holds the schemas; `None` for the embedded database.
    pub server: Option<ServerUrl>,
    /// The same server without the pooler that `server` names; `None`, the default, when there is none in between. With it
    /// `server` is a pooler in transaction mode. Not for the embedded database.
    pub direct_server: Option<ServerUrl>,
    /// Streaming replicas of the server.
    pub replicas: Vec<ServerUrl>,
    /// How many tenant databases are open at once. At least 1; default 256.
    pub max_open: usize,
    /// Connections per tenant database, default 4; or to the server for all tenants together, default 16. At least 1.
    pub connections: usize,
    /// How many connections to the server are kept open when nobody needs them; default 0. Not for the embedded database.
    pub min_connections: usize,
    /// How long a statement may take on the server; `None`, the default, is no limit. Not for the embedded database.
    pub statement_timeout: Option<Duration>,
    /// How many connections to a server work at once; `None`: all of them. With more connections than that, each serves fewer
    /// tenants, whose plans and catalog entries it keeps.
    pub active_connections: Option<usize>,
    /// How long a writer waits for another one, or a statement on a server for a lock; default 5 s.
    pub busy_timeout: Duration,
    /// How long a caller waits for a connection, or for a tenant database to become free; default 5 s.
    pub acquire_timeout: Duration,
    /// How long removing a tenant waits for those who use its database, and closing for everybody; default 10 s.
    pub drain_timeout: Duration,
    /// Whether every tenant has a database of its own; default true. With false all work on the shared one.
    pub isolate: bool,
    /// Whose rights a tenant has on a server; default [`DbRole::Shared`]. Without effect when the tenants are not isolated.
    pub db_role: DbRole,
    /// Whether this process serves, or works beside one that does; default [`OpenMode::Exclusive`].
    pub mode: OpenMode,
}

/// The address of a database server. Shown without user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// An address such as `postgres://shop@localhost/shop`.
    ///
    /// # Errors
    /// When it is none of a server.
    pub fn new(url: &str) -> Result<Self, DatabaseError> {
        let is_server = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        if is_server { Ok(Self(url.to_owned())) } else { Err(DatabaseError::Address { url: redacted(url) }) }
    }

    /// The address as it was written, password included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

/// Whose rights a tenant has on a database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DbRole {
    /// Those of the app's login. The search path alone keeps tenants apart: it stops mistakes, not SQL that names another
    /// schema.
    #[default]
    Shared,
    /// Those of a role of the tenant, which the app's login takes on. Names of another tenant's schema are refused. SQL that puts the
    /// role off again (`RESET ROLE`, `set_config('role', ..)`) is not stopped.
    SetRole,
    /// Those of a login of the tenant. No SQL gets out of it. Each connection serves one tenant.
    Login,
}

/// Something that is wrong with the rights on a database server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// It must not be so where customers are served.
    pub(crate) is_serious: bool,
    /// What is wrong, and what to do.
    pub(crate) text: String,
}

/// Whether a process claims the data folder. A database server is served by any number of processes, whatever the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OpenMode {
    /// The process that serves. There is one per data folder: a second is refused at start, because two would each
    /// keep caches, schedules and removals of their own.
    #[default]
    Exclusive,
    /// A command that runs beside a server: creating and listing tenants and migrating them is safe then, removing one
    /// is refused while a server runs.
    Beside,
}

impl DatabaseSettings {
    /// The defaults for an address such as `sqlite://data` or `postgres://shop@localhost/shop`. A relative folder is
    /// taken from `base`.
    ///
    /// # Errors
    /// When the address is neither `sqlite://FOLDER` nor `postgres://..`.
    pub fn new(url: &str, base: &Path) -> Result<Self, DatabaseError> {
        if let Ok(server) = ServerUrl::new(url) {
            return Ok(Self { connections: 16, ..Self::at(PathBuf::new(), Some(server)) });
        }
        let folder = url
            .strip_prefix("sqlite://")
            .filter(|folder| !folder.is_empty() && !folder.contains(['?', '\0']) && *folder != ":memory:")
            .ok_or_else(|| DatabaseError::Address { url: redacted(url) })?;
        Ok(Self::at(base.join(folder), None))
    }

    fn at(folder: PathBuf, server: Option<ServerUrl>) -> Self {
        Self {
            folder,
            server,
            direct_server: None,
            replicas: Vec::new(),
            max_open: 256,
            connections: 4,
            min_connections: 0,
            statement_timeout: None,
            active_connections: None,
            busy_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(10),
            isolate: true,
            db_role: DbRole::Shared,
            mode: OpenMode::Exclusive,
        }
    }
}

/// An address may hold a password.
pub(super) fn redacted(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://...@{host}"),
        _ => url.to_owned(),
    }
}
