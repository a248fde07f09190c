//! A connection on loan, and what happens to it afterwards.
//!
//! I2 is kept here: a connection goes back only when its last operation ran to its end and no transaction is open.
//! Otherwise it is reset, where its state is known, or closed, where it is not. Whoever waits for it, or for the right
//! to write, gets it after that.

use crate::db::DatabaseError;
use crate::tenancy::Seat;

use super::connection::Connection;
use super::file::FileUser;
use super::text::Verdict;

/// A connection on loan.
pub(super) struct Lease {
    held: Held,
    connection: Option<Connection>,
    running: Option<Running>,
    pub(super) in_transaction: bool,
    /// `PRAGMA query_only` is on for a transaction that said it only reads.
    pub(super) query_only: bool,
    /// The session was changed, or nobody knows: closed instead of reused (I3).
    spent: bool,
    schema_changed: bool,
}

/// What the operation that is under way may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    Reads,
    Writes,
}

/// The rights that come with a loan. They are given back when the connection was dealt with.
pub(super) struct Held {
    pub(super) user: FileUser,
    pub(super) connection: bool,
    pub(super) writer: bool,
    /// Of a tenant whose plan counts its connections.
    pub(super) seat: Option<Seat>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let file = self.user.file();
        if self.connection {
            file.connections.add_permits(1);
        }
        if self.writer {
            file.writer.add_permits(1);
        }
    }
}

impl Lease {
    pub(super) fn new(held: Held, connection: Connection) -> Self {
        Self {
            held,
            connection: Some(connection),
            running: None,
            in_transaction: false,
            query_only: false,
            spent: false,
            schema_changed: false,
        }
    }

    /// Marks an operation as under way and gives the connection to run it on. Until [`Lease::finish`] is called,
    /// dropping the lease means that it was cut short.
    pub(super) async fn start(
        &mut self,
        verdict: Verdict,
    ) -> Result<&mut sqlx::SqliteConnection, DatabaseError> {
        // There is a connection from `new` until `drop`.
        let connection = self.connection.as_mut().ok_or(DatabaseError::Closed)?;
        match self.running {
            None => {}
            // A read of this transaction that was cancelled may still run.
            Some(Running::Reads) => connection.settle().await?,
            Some(Running::Writes) => return Err(DatabaseError::TransactionInterrupted),
        }
        let plain_read = !verdict.writes && !verdict.session && !verdict.transaction && !verdict.schema;
        self.running = Some(if plain_read { Running::Reads } else { Running::Writes });
        self.spent |= verdict.session;
        self.schema_changed |= verdict.schema;
        Ok(&mut connection.raw)
    }

    /// Before a statement that is by itself in a pinned session: tables may have come since the one before, and the
    /// statements that are kept, and what SQLite knows of the tables, may be older.
    pub(super) async fn be_current(&mut self) -> Result<(), DatabaseError> {
        if self.running.is_some() {
            self.start(Verdict::default()).await?;
            self.running = None;
        }
        let generation = self.held.user.file().generation();
        let connection = self.connection.as_mut().ok_or(DatabaseError::Closed)?;
        if connection.generation != generation || !connection.is_current().await? {
            connection.refresh().await?;
            connection.generation = generation;
        }
        Ok(())
    }

    /// Waits for the right to write.
    pub(super) async fn take_writer(&mut self) -> Result<(), DatabaseError> {
        self.held.take_writer().await
    }

    /// Lets others write between two statements of a pinned session.
    pub(super) fn give_writer_back(&mut self) {
        self.held.give_writer_back();
    }

    /// The operation ran to its end, well or not.
    pub(super) fn finish(&mut self, error: Option<&sea_orm::DbErr>) {
        self.running = None;
        if error.is_some_and(is_broken) {
            self.spent = true;
        }
        if self.schema_changed && !self.in_transaction {
            self.schema_changed = false;
            self.held.user.file().schema_changed();
        }
    }

    /// Whether a statement that may have written was cut short.
    pub(super) fn is_interrupted(&self) -> bool {
        self.running == Some(Running::Writes)
    }

    fn fate(&self, connection: &Connection) -> Fate {
        let file = self.held.user.file();
        if self.spent
            || self.is_interrupted()
            || file.is_closed()
            || connection.generation != file.generation()
        {
            Fate::Close
        } else if self.running.is_some() || self.in_transaction || self.query_only {
            Fate::Reset
        } else {
            Fate::Reuse
        }
    }
}

enum Fate {
    Reuse,
    Reset,
    Close,
}

/// An error of the driver itself, after which the connection cannot be trusted.
fn is_broken(error: &sea_orm::DbErr) -> bool {
    use sea_orm::{DbErr, RuntimeErr};
    matches!(
        error,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) | DbErr::Conn(RuntimeErr::SqlxError(error))
            if matches!(**error, sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) | sqlx::Error::Protocol(_))
    )
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if self.in_transaction && self.schema_changed {
            self.held.user.file().schema_changed();
        }
        let mut fate = self.fate(&connection);
        if self.held.user.file().limits.mutants.reuses_anything() {
            fate = Fate::Reuse;
        }
        let file = self.held.user.file();
        if let Fate::Reuse = fate {
            file.put_back(connection);
            return;
        }
        let runtime = file.limits.runtime.clone();
        let task = Cleaning {
            connection: Some(connection),
            held: Held {
                user: self.held.user.again(),
                connection: std::mem::take(&mut self.held.connection),
                writer: std::mem::take(&mut self.held.writer),
                seat: self.held.seat.take(),
            },
            in_transaction: self.in_transaction,
            query_only: self.query_only,
            reset: matches!(fate, Fate::Reset),
        };
        runtime.spawn(task.run());
    }
}

/// A connection between two users.
struct Cleaning {
    connection: Option<Connection>,
    held: Held,
    in_transaction: bool,
    query_only: bool,
    reset: bool,
}

impl Cleaning {
    async fn run(mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let file = self.held.user.file();
        if self.reset
            && self.restore(&mut connection).await.is_ok()
            && connection.generation == file.generation()
            && !file.is_closed()
        {
            file.put_back(connection);
        } else {
            connection.close().await;
        }
    }

    async fn restore(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        use sqlx::Executor;
        connection.settle().await?;
        if self.in_transaction {
            // Fails when SQLite has rolled back on its own; then the connection is closed, which is right as well.
            connection.raw.execute("ROLLBACK").await?;
        }
        if self.query_only {
            connection.raw.execute("PRAGMA query_only = OFF").await?;
        }
        Ok(())
    }
}
