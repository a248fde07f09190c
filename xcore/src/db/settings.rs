//! How the database service is set up.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::DatabaseError;

/// What a [`Database`](super::Database) is opened with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DatabaseSettings {
    /// The folder that holds the files, for the embedded database.
    pub folder: PathBuf,
    /// How many tenant databases are open at once. At least 1; default 256.
    pub max_open: usize,
    /// Connections per tenant database. At least 1; default 4.
    pub connections: usize,
    /// How long a writer waits for another one; default 5 s.
    pub busy_timeout: Duration,
    /// How long a caller waits for a connection, or for a tenant database to become free; default 5 s.
    pub acquire_timeout: Duration,
    /// How long removing a tenant waits for those who use its database, and closing for everybody; default 10 s.
    pub drain_timeout: Duration,
    /// Whether every tenant has a database of its own; default true. With false all work on the shared one.
    pub isolate: bool,
    /// Whether this process serves, or works beside one that does; default [`OpenMode::Exclusive`].
    pub mode: OpenMode,
}

/// Whether a process claims the data folder.
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
    /// The defaults for an address such as `sqlite://data`. A relative folder is taken from `base`.
    ///
    /// # Errors
    /// When the address is not `sqlite://FOLDER`.
    pub fn new(url: &str, base: &Path) -> Result<Self, DatabaseError> {
        let folder = url
            .strip_prefix("sqlite://")
            .filter(|folder| !folder.is_empty() && !folder.contains(['?', '\0']) && *folder != ":memory:")
            .ok_or_else(|| DatabaseError::Address { url: redacted(url) })?;
        Ok(Self {
            folder: base.join(folder),
            max_open: 256,
            connections: 4,
            busy_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(10),
            isolate: true,
            mode: OpenMode::Exclusive,
        })
    }
}

/// An address of another kind may hold a password.
fn redacted(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://...@{host}"),
        _ => url.to_owned(),
    }
}
