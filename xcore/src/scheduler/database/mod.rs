//! Jobs and runs in the framework's own database, for one process on SQLite or several on PostgreSQL.
//!
//! No operation needs a transaction of several statements: a process that is stopped between two of them holds no lock. What
//! is told in lists goes as one JSON text, so that each operation is one text with one plan, however long the list is. The time
//! is the database's, since the clocks of several processes differ.

mod claims;
mod history;
mod jobs;
mod queue;
mod tables;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement, Value};

use super::SchedulerError;
use super::history::Keep;
use super::job::Owner;
use crate::tenancy::TenantId;

pub(crate) use tables::{AddedColumn, JobTables, RetryColumn};

/// Jobs and runs in a database.
pub(crate) struct Stored<C> {
    db: C,
    words: Words,
    keep: Keep,
    #[cfg(test)]
    pub(super) mutants: Mutants,
}

/// Rules that a test breaks.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Mutants {
    /// The outcome is written whoever has the run by now.
    pub(super) ignores_tokens: std::sync::atomic::AtomicBool,
    /// A run is taken from a process whose lease still holds.
    pub(super) ignores_leases: std::sync::atomic::AtomicBool,
    /// No mutant but a help: so many milliseconds pass after the jobs of a tenant were counted.
    pub(super) pause_before_addition: std::sync::atomic::AtomicU64,
}

/// What the databases say differently.
#[derive(Clone, Copy, Debug)]
struct Words {
    /// Milliseconds since 1970.
    now: &'static str,
    /// What stands around a text that holds a JSON list, to have its elements in a column `value`.
    elements: (&'static str, &'static str),
    /// The same of a list of texts.
    texts: (&'static str, &'static str),
    /// Takes rows that nobody else works on.
    lock: &'static str,
}

const POSTGRES: Words = Words {
    now: "CAST(floor(extract(epoch FROM now()) * 1000) AS bigint)",
    elements: ("json_array_elements(CAST(", " AS json))"),
    texts: ("json_array_elements_text(CAST(", " AS json))"),
    lock: "FOR UPDATE SKIP LOCKED",
};

const SQLITE: Words = Words {
    now: "CAST(unixepoch('subsec') * 1000 AS bigint)",
    elements: ("json_each(", ")"),
    texts: ("json_each(", ")"),
    // One process, and one statement that writes at a time.
    lock: "",
};

impl<C: ConnectionTrait> Stored<C> {
    /// In the database that holds the directory of tenants, whose migrations include [`JobTables`].
    pub(crate) fn new(db: C, keep: Keep) -> Self {
        let words = match db.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        Self {
            db,
            words,
            keep,
            #[cfg(test)]
            mutants: Mutants::default(),
        }
    }

    /// Where a test adds a job at the worst moment.
    #[cfg(test)]
    async fn between_count_and_addition(&self) {
        let pause = self.mutants.pause_before_addition.load(std::sync::atomic::Ordering::Relaxed);
        if pause > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        }
    }

    fn is_postgres(&self) -> bool {
        self.db.get_database_backend() == DbBackend::Postgres
    }

    fn statement(&self, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        let mut text = text.replace("{now}", self.words.now).replace("{lock}", self.words.lock);
        for (name, (before, after)) in [("{elements}", self.words.elements), ("{texts}", self.words.texts)] {
            for value in ["$1", "$2", "$5"] {
                text = text.replace(&format!("{name}({value})"), &format!("{before}{value}{after}"));
            }
        }
        Statement::from_sql_and_values(self.db.get_database_backend(), text, values)
    }

    async fn execute(
        &self,
        text: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<ExecResult, SchedulerError> {
        self.db.execute_raw(self.statement(text, values)).await.map_err(unavailable)
    }

    async fn query(
        &self,
        text: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<QueryResult>, SchedulerError> {
        self.db.query_all_raw(self.statement(text, values)).await.map_err(unavailable)
    }
}

fn unavailable(source: DbErr) -> SchedulerError {
    SchedulerError::Unavailable { source: Box::new(source) }
}

/// How the app is stored as an owner. No tenant has such a name.
const APP: &str = ":";

/// How an owner is stored. No tenant has the empty name.
fn name_of(owner: Owner) -> String {
    match owner {
        Owner::App => APP.to_owned(),
        Owner::Tenant(tenant) => tenant.to_string(),
        Owner::Shared => String::new(),
    }
}

fn owner_of(name: &str) -> Option<Owner> {
    match name {
        "" => Some(Owner::Shared),
        APP => Some(Owner::App),
        name => TenantId::parse(name).ok().map(Owner::Tenant),
    }
}

/// A list as one value of a statement.
fn list<T: serde::Serialize + ?Sized>(of: &T) -> Result<Value, SchedulerError> {
    let text = serde_json::to_string(of)
        .map_err(|source| SchedulerError::Unavailable { source: Box::new(source) })?;
    Ok(text.into())
}
