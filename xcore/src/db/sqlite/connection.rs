//! One connection to one file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor, Row, SqliteConnection};

use super::layout::{self, Found};
use crate::db::DatabaseError;
use crate::tenancy::TenantId;

/// Marks a file as made by this framework: "xcor" in `PRAGMA application_id`.
const APPLICATION_ID: u32 = 0x7863_6f72;

/// How many virtual machine instructions SQLite runs between two looks at whether it should stop.
const STOP_CHECK: i32 = 10_000;

/// How long a connection trusts what it knows about which tables exist. See [`Connection::is_current`].
const SCHEMA_TRUST: Duration = Duration::from_secs(1);

/// Which file, and how it is opened.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    /// Whose file; `None` is the shared one.
    pub(super) tenant: Option<TenantId>,
    /// The shared file, for a tenant's connection.
    pub(super) shared: Option<PathBuf>,
    pub(super) busy_timeout: Duration,
}

impl Target {
    pub(super) fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            // Flushes the log before a commit is acknowledged, see the module's table.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(self.busy_timeout)
    }

    /// What every new connection runs before it serves.
    ///
    /// `mode=ro` makes SQLite itself refuse every write to the shared file, whatever statement it comes from.
    pub(super) fn attach(&self) -> Option<String> {
        let shared = self.shared.as_deref()?;
        Some(format!("ATTACH DATABASE '{}' AS shared", uri(shared, "mode=ro")))
    }

    /// I5: a file that is missing or odd is an error before SQLite sees it.
    pub(super) fn check(&self) -> Result<(), DatabaseError> {
        match (layout::look(&self.path), self.tenant) {
            (Found::File, _) => Ok(()),
            (Found::Nothing, Some(tenant)) => Err(DatabaseError::Missing { tenant }),
            (Found::Nothing, None) => Err(self.odd("it is missing")),
            (Found::Odd(problem), _) => Err(self.odd(problem)),
        }
    }

    fn odd(&self, problem: &'static str) -> DatabaseError {
        match self.tenant {
            Some(tenant) => DatabaseError::Odd { tenant, problem },
            None => DatabaseError::OddShared { problem },
        }
    }
}

/// A path as an SQLite URI. Every byte outside of a plain set is escaped, so the text also needs no quoting in SQL.
fn uri(path: &Path, query: &str) -> String {
    let mut uri = String::from("file:");
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => uri.push(char::from(byte)),
            // Writing to a `String` cannot fail.
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri.push('?');
    uri.push_str(query);
    uri
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) raw: SqliteConnection,
    /// Makes a statement that nobody waits for any more end early.
    stop: Arc<AtomicBool>,
    /// The generation of its file's schema that it was opened in.
    pub(super) generation: u64,
    schema_version: i64,
    checked: Instant,
    shadows: bool,
    counted: Counted,
}

/// Counts a connection for as long as it is open.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Connection {
    pub(super) async fn open(
        target: &Target,
        generation: u64,
        count: &Arc<AtomicUsize>,
    ) -> Result<Self, DatabaseError> {
        target.check()?;
        let counted = Counted::new(count);
        let mut raw = target.options().connect().await?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        raw.lock_handle().await?.set_progress_handler(STOP_CHECK, move || !seen.load(Ordering::Relaxed));
        if let Some(attach) = target.attach() {
            raw.execute(AssertSqlSafe(attach)).await?;
        }
        let rows = raw.fetch_all("PRAGMA main.application_id; PRAGMA main.schema_version").await?;
        let number = |at: usize| rows.get(at).and_then(|row| row.try_get::<i64, _>(0).ok()).unwrap_or(-1);
        if number(0) != i64::from(APPLICATION_ID) {
            return Err(target.odd("it was not made by this framework, or its making was cut short"));
        }
        Ok(Self {
            raw,
            stop,
            generation,
            schema_version: number(1),
            checked: Instant::now(),
            shadows: target.shared.is_some(),
            counted,
        })
    }

    /// Makes a new file a database of this framework.
    pub(super) async fn initialise(target: &Target) -> Result<(), DatabaseError> {
        match layout::look(&target.path) {
            Found::Odd(problem) => return Err(target.odd(problem)),
            Found::File | Found::Nothing => {}
        }
        let mut raw = target.options().connect().await?;
        let row = raw.fetch_one("PRAGMA main.application_id").await?;
        match row.try_get::<u32, _>(0).unwrap_or_default() {
            APPLICATION_ID => {}
            0 => {
                raw.execute(AssertSqlSafe(format!("PRAGMA main.application_id = {APPLICATION_ID}"))).await?;
            }
            _ => return Err(target.odd("it belongs to another program")),
        }
        raw.close().await?;
        Ok(())
    }

    /// Whether what it knows about its tables still holds; asks the file once a second.
    ///
    /// SQLite looks at the version of a file's schema only when a statement touches that file. A table that another
    /// process made in the tenant's file would stay unseen as long as an equally named shared table answers in its place.
    pub(super) async fn is_current(&mut self) -> Result<bool, sqlx::Error> {
        if !self.shadows || self.checked.elapsed() < SCHEMA_TRUST {
            return Ok(true);
        }
        let row = sqlx::query("PRAGMA main.schema_version").fetch_one(&mut self.raw).await?;
        self.checked = Instant::now();
        Ok(row.try_get::<i64, _>(0)? == self.schema_version)
    }

    /// Learns anew which tables there are.
    pub(super) async fn refresh(&mut self) -> Result<(), sqlx::Error> {
        self.raw.clear_cached_statements().await?;
        // A statement that touches the file makes SQLite compare the versions, and read the schema when they differ.
        self.raw.fetch_optional("SELECT 1 FROM main.sqlite_schema LIMIT 1").await?;
        let row = sqlx::query("PRAGMA main.schema_version").fetch_one(&mut self.raw).await?;
        self.checked = Instant::now();
        self.schema_version = row.try_get(0)?;
        Ok(())
    }

    /// Ends a statement that nobody waits for, and waits until the connection has nothing left to do.
    pub(super) async fn settle(&mut self) -> Result<(), sqlx::Error> {
        self.stop.store(true, Ordering::Relaxed);
        let settled = self.raw.ping().await;
        self.stop.store(false, Ordering::Relaxed);
        settled
    }

    /// Closes it and waits until its file is closed. A statement that still runs is stopped.
    pub(super) async fn close(self) {
        let Self { raw, stop, counted, .. } = self;
        stop.store(true, Ordering::Relaxed);
        if let Err(error) = raw.close().await {
            tracing::debug!(%error, "a database connection did not close in order");
        }
        drop(counted);
    }
}
