//! The rows of a tenant on their way out of a database, or into one.
//!
//! Only rows travel. The tables that they come into are made by the migrations of the program that takes them, so what is sent can
//! hold data and nothing that runs.

use std::collections::BTreeMap;

use sea_orm::DbBackend;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{DatabaseError, Migrations};
use crate::tenancy::TenantId;

/// Rows travel in pieces of about this size, in bytes; a row that is larger is one by itself.
pub(crate) const PIECE: usize = 1024 * 1024;

/// How many pieces wait for who takes them.
const WAITING: usize = 4;

/// How the rows are written: each kind of database has a form of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// As `COPY .. TO STDOUT` gives them, in the format `text`.
    Postgresql,
    /// See `sqlite/transfer/row.rs`.
    Sqlite,
}

impl Form {
    pub(crate) fn of(dialect: DbBackend) -> Self {
        if dialect == DbBackend::Postgres { Self::Postgresql } else { Self::Sqlite }
    }
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Postgresql => "PostgreSQL",
            Self::Sqlite => "SQLite",
        })
    }
}

/// A table and those of its columns that have values of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
}

/// Where a sequence stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sequence {
    pub(crate) name: String,
    pub(crate) last: i64,
    /// Whether `last` was given to somebody.
    pub(crate) called: bool,
}

/// The names of the migrations that the data has, by plugin, in order.
pub(crate) type Applied = BTreeMap<String, Vec<String>>;

/// A part of a tenant's data. They come in this order: `Begin`, then for each table `Table`, `Rows` and `End`, then the sequences,
/// then `Done`.
#[derive(Debug)]
pub(crate) enum Piece {
    Begin(Applied),
    Table(Table),
    /// Rows of the table; they may be cut anywhere.
    Rows(Vec<u8>),
    /// How many rows the table had.
    End(u64),
    Sequence(Sequence),
    /// Without this, something is missing.
    Done,
}

/// What has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) tables: usize,
    pub(crate) rows: u64,
}

/// Where pieces come from. Whoever sends may stop half-way.
#[derive(Debug)]
pub(crate) struct Inlet(mpsc::Receiver<Piece>);

/// Where pieces go.
#[derive(Debug)]
pub(crate) struct Outlet {
    out: mpsc::Sender<Piece>,
    rows: Vec<u8>,
}

/// The two ends of a way that holds a few pieces.
pub(crate) fn way() -> (Outlet, Inlet) {
    let (out, pieces) = mpsc::channel(WAITING);
    (Outlet { out, rows: Vec::new() }, Inlet(pieces))
}

/// The other end is gone.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the other end of the transfer has gone away")]
pub(crate) struct Gone;

impl Outlet {
    pub(crate) async fn send(&mut self, piece: Piece) -> Result<(), Gone> {
        self.flush().await?;
        self.out.send(piece).await.map_err(|_| Gone)
    }

    /// Rows, gathered into larger pieces.
    pub(crate) async fn rows(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.rows.extend_from_slice(bytes);
        if self.rows.len() >= PIECE { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        self.out.send(Piece::Rows(rows)).await.map_err(|_| Gone)
    }

    /// For a thread that may block.
    pub(crate) fn blocking_send(&mut self, piece: Piece) -> Result<(), Gone> {
        self.out.blocking_send(piece).map_err(|_| Gone)
    }
}

impl Inlet {
    /// # Errors
    /// [`DatabaseError::CutShort`] when whoever sends has gone away.
    pub(crate) async fn next(&mut self) -> Result<Piece, DatabaseError> {
        self.0.recv().await.ok_or(DatabaseError::CutShort)
    }

    /// For a thread that may block.
    pub(crate) fn blocking_next(&mut self) -> Option<Piece> {
        self.0.blocking_recv()
    }
}

impl From<Gone> for DatabaseError {
    fn from(_: Gone) -> Self {
        Self::CutShort
    }
}

/// Says why the data of a tenant cannot be sent or taken.
pub(crate) fn refused(tenant: &TenantId, problem: impl Into<String>) -> DatabaseError {
    DatabaseError::NotTransferable { tenant: *tenant, problem: problem.into() }
}

/// The tables of a database that rows come into, and which of them have come.
#[derive(Debug)]
pub(crate) struct Expected<T> {
    what: &'static str,
    left: BTreeMap<String, T>,
}

impl<T> Expected<T> {
    pub(crate) fn new(what: &'static str, all: impl IntoIterator<Item = (String, T)>) -> Self {
        Self { what, left: all.into_iter().collect() }
    }

    /// Each comes once.
    pub(crate) fn take(&mut self, id: &TenantId, name: &str) -> Result<T, DatabaseError> {
        let what = self.what;
        let problem = || {
            refused(
                id,
                format!("it has the {what} {name:?}, which the migrations of this program do not make"),
            )
        };
        self.left.remove(name).ok_or_else(problem)
    }

    /// All have come.
    pub(crate) fn finish(self, id: &TenantId) -> Result<(), DatabaseError> {
        let what = self.what;
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(refused(
                id,
                format!("it lacks the {what} {name:?}, which the migrations of this program make"),
            )),
        }
    }
}

/// The columns that come, as the table that they come into calls them; all of its own, in whatever order.
pub(crate) fn match_columns(
    id: &TenantId,
    table: &Table,
    own: &[(String, String)],
) -> Result<Vec<String>, DatabaseError> {
    let quoted =
        |name: &String| own.iter().find(|(other, _)| other == name).map(|(_, quoted)| quoted.clone());
    let matched: Option<Vec<String>> = table.columns.iter().map(quoted).collect();
    match matched {
        Some(mut matched) if matched.len() == own.len() => {
            let columns = matched.clone();
            matched.sort_unstable();
            matched.dedup();
            if matched.len() == own.len() {
                return Ok(columns);
            }
        }
        _ => {}
    }
    let names: Vec<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
    let problem = format!(
        "its table {:?} has the columns {}, and that of this program's migrations has {}",
        table.name,
        table.columns.join(", "),
        names.join(", ")
    );
    Err(refused(id, problem))
}

/// Rows are counted where they leave and where they arrive.
pub(crate) fn check_count(id: &TenantId, table: &str, sent: u64, taken: u64) -> Result<(), DatabaseError> {
    if sent == taken {
        return Ok(());
    }
    Err(refused(id, format!("its table {table:?} had {sent} rows, of which {taken} arrived")))
}

/// Of the migrations of this program those that the data has.
///
/// # Errors
/// When it has some that this program does not know.
pub(crate) fn of_applied(
    all: &[Migrations],
    applied: &Applied,
) -> Result<Vec<Migrations>, UnknownMigrations> {
    for (plugin, names) in applied {
        let known: Vec<String> = all
            .iter()
            .filter(|migrations| migrations.plugin() == plugin)
            .flat_map(Migrations::all)
            .map(|migration| migration.name().to_owned())
            .collect();
        let unknown: Vec<String> = names.iter().filter(|name| !known.contains(name)).cloned().collect();
        if !unknown.is_empty() {
            let is_known = all.iter().any(|migrations| migrations.plugin() == plugin);
            return Err(UnknownMigrations { plugin: plugin.clone(), names: unknown, is_known });
        }
    }
    let none = Vec::new();
    Ok(all
        .iter()
        .map(|migrations| migrations.only(applied.get(migrations.plugin()).unwrap_or(&none)))
        .collect())
}

/// What this program does not have.
#[derive(Debug)]
pub(crate) struct UnknownMigrations {
    pub(crate) plugin: String,
    pub(crate) names: Vec<String>,
    /// Whether there is a plugin of this name.
    pub(crate) is_known: bool,
}
