//! What can go wrong between a handle and its database.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

use crate::tenancy::TenantId;

/// Why the database service could not do what it was asked.
///
/// An error names at most the tenant it was raised for, never another one, and never a path of a tenant's file.
///
/// SeaORM's methods return [`DbErr`]. A `DatabaseError` that happens below them travels inside the `DbErr`;
/// [`DatabaseError::find_in`] takes it out again and [`DatabaseError::is_unavailable_in`] says whether trying later
/// helps.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The configured address names no database that this version can use.
    #[error(
        "`{url}` is not a database address; use sqlite://FOLDER, for example sqlite://data, or postgres://USER@HOST/DATABASE"
    )]
    Address {
        /// The address as configured.
        url: String,
    },
    /// The program was built without this kind of database.
    #[error(
        "services.database.url names a PostgreSQL server, which this program is built without; add the feature in Cargo.toml, \
         xcore = {{ version = \"{}.{}\", features = [\"postgres\"] }}, or use sqlite://FOLDER",
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR")
    )]
    NotBuilt,
    /// Between this program and the server is a pooler that spreads a session's statements over several backends, so that
    /// one tenant's session would serve another's statements.
    #[error(
        "the database is reached through a pooler that shares its sessions ({sign}); write `pooler: transaction` below `services.database`, with the server itself as `direct_url`, or connect to the server itself, or use a pooler in session mode that passes `options` on"
    )]
    Pooler {
        /// What gave it away.
        sign: &'static str,
    },
    /// What stands in front of the server does not do what `services.database.pooler` says of it, so tenants would not be apart
    /// behind it.
    #[error("`pooler: transaction` does not work with the addresses of `services.database`: {problem}")]
    PoolerUnfit {
        /// What is wrong, and what to do.
        problem: &'static str,
        /// What was said to it.
        #[source]
        source: Option<Arc<sqlx::Error>>,
    },
    /// The pooler has no session with the server to give.
    #[error(
        "the pooler gave no connection to the server within {waited:?}; keep transactions short, try again, or raise its default_pool_size"
    )]
    PoolerBusy {
        /// How long the caller waited.
        waited: Duration,
    },
    /// The data folder cannot be made, read or written.
    #[error("cannot use the data folder `{}`; check that it exists and that this process may write to it", path.display())]
    Folder {
        /// The folder, or the file in it that the framework keeps for itself.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// Another process serves this data folder.
    #[error(
        "the data folder `{}` is served by another process{}; stop it first, or give this one a folder of its own",
        folder.display(), process.map(|id| format!(" ({id})")).unwrap_or_default()
    )]
    Served {
        /// The folder.
        folder: PathBuf,
        /// The process that holds it, when it left its number.
        process: Option<u32>,
    },
    /// The tenant has no database.
    #[error("tenant `{tenant}` has no database; create the tenant first")]
    Missing {
        /// The tenant.
        tenant: TenantId,
    },
    /// Something lies where the tenant's database should be, and it was not made by this framework.
    #[error("the database of tenant `{tenant}` cannot be trusted: {problem}; put the tenant's own file back")]
    Odd {
        /// The tenant.
        tenant: TenantId,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The shared database is damaged or was replaced by something else.
    #[error("the shared database cannot be trusted: {problem}; put the file back")]
    OddShared {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The tenant's schema is not owned by a role of its own, as the mode asks for.
    #[error(
        "the schema of tenant `{tenant}` does not belong to a role of its own, which `tenancy.db_role` asks for; run `migrate --tenant {tenant}`, which makes the role and hands the schema over"
    )]
    NoRole {
        /// The tenant.
        tenant: TenantId,
    },
    /// The server does not let the tenant's login in.
    #[error(
        "the database server lets the login of tenant `{tenant}` not in; run `migrate --tenant {tenant}`, which makes the login and sets its password, and see that pg_hba.conf lets the members of `{group}` in with `scram-sha-256`"
    )]
    LoginRefused {
        /// The tenant.
        tenant: TenantId,
        /// The role that all tenants' logins of this database are members of.
        group: String,
        /// What the server said.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// A role of the name that is needed is there, of another origin.
    #[error(
        "the role `{role}` of the database server was not made for this database; see what it is for, then rename it (ALTER ROLE .. RENAME TO ..) or drop it"
    )]
    ForeignRole {
        /// The role.
        role: String,
    },
    /// The sessions of the app's login begin as another role, so the login is not what they return to.
    #[error(
        "the sessions of the login of services.database.url begin as another role, which `tenancy.db_role` does not allow; run: ALTER ROLE .. RESET role; ALTER ROLE .. IN DATABASE .. RESET role"
    )]
    BeginsAsRole,
    /// The app's login may not make or change the tenants' roles.
    #[error(
        "the login of services.database.url may not make or change the roles that `tenancy.db_role` asks for; give it CREATEROLE and the right to make schemas (ALTER ROLE .. CREATEROLE; GRANT CREATE ON DATABASE .. TO ..). Roles that another login has made are for that login to GRANT .. WITH ADMIN OPTION"
    )]
    RoleRights {
        /// What the server said.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// The directory says that the tenant is on a server which the configuration does not name.
    #[error(
        "tenant `{tenant}` is on server `{server}`, which `services.database.servers` does not name; name it there again and restart"
    )]
    UnknownServer {
        /// The tenant.
        tenant: TenantId,
        /// The server.
        server: String,
    },
    /// The server could not be reached when the app was started, and not since.
    #[error(
        "database server `{server}` has not been reached since the start; it is tried again every few seconds, see the log for the reason"
    )]
    NotReached {
        /// The server.
        server: String,
    },
    /// One of several servers could not be opened.
    #[error("the server `{server}` of `services.database.servers` is not ready")]
    OfServer {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: Box<DatabaseError>,
    },
    /// A server that is not the first has a directory of tenants.
    #[error(
        "server `{server}` holds a directory of tenants and is not the first of `services.database.servers`; the first one holds it, so put `{server}` first again, or give a database that belongs to another app a name of its own"
    )]
    SecondDirectory {
        /// The server.
        server: String,
    },
    /// A write, or what may be one, through a handle that only reads.
    #[error("`ctx.db.read()` only reads; write through `ctx.db`")]
    ReadOnly,
    /// The tenant is being removed.
    #[error("tenant `{tenant}` is being removed")]
    Removing {
        /// The tenant.
        tenant: TenantId,
    },
    /// Another process creates or deletes the tenant.
    #[error(
        "another process has been creating or deleting tenant `{tenant}` for {waited:?}; try again when it has finished"
    )]
    Claimed {
        /// The tenant.
        tenant: TenantId,
        /// How long this one waited.
        waited: Duration,
    },
    /// The right to create or delete the tenant was lost half-way, so another process may have it.
    #[error(
        "the session that held the right to create or delete tenant `{tenant}` was lost, so this was left half-way; it goes on with the next try"
    )]
    ClaimLost {
        /// The tenant.
        tenant: TenantId,
    },
    /// The tenant could not be removed because its database stayed in use.
    #[error(
        "the database of tenant `{tenant}` was still in use after {waited:?}; suspend the tenant and try again"
    )]
    StillUsed {
        /// The tenant.
        tenant: TenantId,
        /// How long the removal waited.
        waited: Duration,
    },
    /// The name cannot be removed: it has no database of its own.
    #[error("`{tenant}` works on the shared database, which is never removed")]
    NotRemovable {
        /// The tenant.
        tenant: TenantId,
    },
    /// As many tenant databases as allowed are open and in use.
    #[error(
        "{max_open} tenant databases are in use, none became free within {waited:?}; try again, or raise max_open"
    )]
    TooManyOpen {
        /// The configured limit.
        max_open: usize,
        /// How long the caller waited.
        waited: Duration,
    },
    /// All connections of this database are in use.
    #[error(
        "all {connections} connections of this database are in use, none became free within {waited:?}; try again, or raise connections"
    )]
    NoConnection {
        /// The configured limit.
        connections: usize,
        /// How long the caller waited.
        waited: Duration,
    },
    /// The tenant holds as many connections as its plan allows. The answer of an action is 429 then, as for other limits of the plan.
    #[error(
        "tenant `{tenant}` holds all {connections} database connections that its plan allows, none became free within {waited:?}; use `ctx.db` for fewer things at once, and not while a transaction or stream of yours is open, or raise `database_connections` of the plan"
    )]
    PlanConnections {
        /// The tenant.
        tenant: TenantId,
        /// How many the plan allows.
        connections: usize,
        /// How long the caller waited.
        waited: Duration,
    },
    /// Another transaction of this database kept writing.
    #[error(
        "another transaction kept writing to this database for {waited:?}; keep write transactions short, and do not write through `ctx.db` while a transaction of yours is open"
    )]
    WriterBusy {
        /// How long the caller waited.
        waited: Duration,
    },
    /// The service was closed.
    #[error("the database service is closed")]
    Closed,
    /// The text would leave the tenant's database or the session that the framework keeps.
    #[error("this SQL was refused: {reason}")]
    Refused {
        /// What is refused, and what to use instead.
        reason: &'static str,
    },
    /// The transaction was committed, rolled back or abandoned before.
    #[error("this transaction has ended; begin a new one")]
    TransactionEnded,
    /// A statement of the transaction was cancelled, so nobody knows whether it took effect.
    #[error(
        "a statement of this transaction was cancelled, so the transaction is rolled back; begin a new one"
    )]
    TransactionInterrupted,
    /// The tables were changed by somebody else while the transaction ran, and a statement of it no longer fits them.
    #[error(
        "the tables were changed while this transaction ran, so it is rolled back; run it again from its begin"
    )]
    TablesChanged,
    /// A statement of the session was cancelled, so nobody knows what state it is in.
    #[error("a statement of this session was cancelled, so the session is given up; ask for a new one")]
    SessionInterrupted,
    /// Raw SQL opened a transaction and did not end it.
    #[error(
        "this SQL opened a transaction and did not end it, so it was rolled back; use begin() or end it in the same text"
    )]
    TransactionLeftOpen,
    /// A migration failed. Those before it are applied and recorded; running again goes on with this one.
    #[error("migration `{migration}` of plugin `{plugin}` failed; mend it and run the migrations again")]
    Migration {
        /// The plugin.
        plugin: &'static str,
        /// The migration's name.
        migration: String,
        /// What the database said.
        #[source]
        source: DbErr,
    },
    /// A migration attached or detached a database.
    #[error(
        "migration `{migration}` of plugin `{plugin}` attached or detached a database, which is refused; it was rolled back"
    )]
    MigrationAttached {
        /// The plugin.
        plugin: &'static str,
        /// The migration's name.
        migration: String,
    },
    /// The database holds migrations that the program does not know.
    #[error("the database has migrations of plugin `{plugin}` that this program does not know ({}); run the version that made them, or a later one", names.join(", "))]
    UnknownMigrations {
        /// The plugin.
        plugin: &'static str,
        /// Their names.
        names: Vec<String>,
    },
    /// A migration does what a template cannot have.
    #[error(
        "migration `{migration}` {why}, so there is no template: tenants are made by running their migrations, and are not compared"
    )]
    NoTemplate {
        /// The migration's name.
        migration: String,
        /// What it does.
        why: &'static str,
    },
    /// What has the name of the template is not one.
    #[error("there is a schema `{schema}` that this framework did not make; rename it")]
    ForeignTemplate {
        /// Its name.
        schema: &'static str,
    },
    /// What the tenant's database holds cannot be exported, or not be taken from where it comes.
    #[error("the data of tenant `{tenant}` cannot be exported, imported or cloned: {problem}")]
    NotTransferable {
        /// The tenant.
        tenant: TenantId,
        /// What is in the way.
        problem: String,
    },
    /// Whoever sent the rows of a tenant, or was to take them, has stopped half-way.
    #[error("the transfer of a tenant's data was cut short")]
    CutShort,
    /// The database could not be opened or an internal statement failed.
    #[error("the database could not be opened or read")]
    Engine {
        /// What the driver said.
        #[source]
        source: Arc<sqlx::Error>,
    },
}

impl DatabaseError {
    /// Whether trying again later can help: the answer of a server is 503 instead of 500.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::TooManyOpen { .. }
            | Self::NoConnection { .. }
            | Self::PlanConnections { .. }
            | Self::PoolerBusy { .. }
            | Self::WriterBusy { .. }
            | Self::Removing { .. }
            | Self::Claimed { .. }
            | Self::ClaimLost { .. }
            | Self::UnknownServer { .. }
            | Self::NotReached { .. }
            | Self::TablesChanged
            | Self::Closed => true,
            Self::OfServer { source, .. } => source.is_unavailable(),
            Self::Engine { source } => engine_is_unavailable(source),
            _ => false,
        }
    }

    /// Whether the server ran out of something that many share, such as connections or locks: alone it may go.
    pub(crate) fn is_shortage(&self) -> bool {
        // Class 53, insufficient resources (PostgreSQL, appendix A). The codes of SQLite are shorter.
        let is_short = |error: &sqlx::Error| match error {
            sqlx::Error::Database(error) => {
                error.code().is_some_and(|code| code.len() == 5 && code.starts_with("53"))
            }
            _ => false,
        };
        match self {
            Self::NoConnection { .. } => true,
            Self::OfServer { source, .. } => source.is_shortage(),
            Self::Engine { source } => is_short(source),
            Self::Migration { source, .. } => engine_error(source).is_some_and(is_short),
            _ => false,
        }
    }

    /// The `DatabaseError` that travels inside an error of SeaORM, if there is one.
    ///
    /// ```
    /// use sea_orm::DbErr;
    /// use xcore::db::DatabaseError;
    ///
    /// let error = DbErr::from(DatabaseError::Closed);
    /// assert!(matches!(DatabaseError::find_in(&error), Some(DatabaseError::Closed)));
    /// assert!(DatabaseError::find_in(&DbErr::RecordNotInserted).is_none());
    /// ```
    #[must_use]
    pub fn find_in(error: &DbErr) -> Option<&Self> {
        match engine_error(error)? {
            sqlx::Error::Io(io) => io.get_ref()?.downcast_ref(),
            _ => None,
        }
    }

    /// Whether an error of SeaORM says that the database is busy, full or not reachable, so that trying again
    /// later can help.
    #[must_use]
    pub fn is_unavailable_in(error: &DbErr) -> bool {
        if let Some(own) = Self::find_in(error) {
            return own.is_unavailable();
        }
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) => true,
            _ => engine_error(error).is_some_and(engine_is_unavailable),
        }
    }
}

impl From<DatabaseError> for DbErr {
    /// SeaORM's error has no place for an error of another crate except below `sqlx::Error`.
    fn from(error: DatabaseError) -> Self {
        Self::Conn(RuntimeErr::SqlxError(Arc::new(sqlx::Error::Io(io::Error::other(error)))))
    }
}

impl DatabaseError {
    /// The same for a caller that may hold one of ours below SeaORM's error.
    #[cfg(feature = "postgres")]
    pub(super) fn of(error: DbErr) -> Self {
        if let Some(own) = Self::find_in(&error) {
            return own.clone();
        }
        match error {
            DbErr::Conn(RuntimeErr::SqlxError(source))
            | DbErr::Exec(RuntimeErr::SqlxError(source))
            | DbErr::Query(RuntimeErr::SqlxError(source)) => Self::Engine { source },
            other => Self::Engine { source: Arc::new(sqlx::Error::Io(io::Error::other(other))) },
        }
    }
}

impl From<sqlx::Error> for DatabaseError {
    fn from(source: sqlx::Error) -> Self {
        Self::Engine { source: Arc::new(source) }
    }
}

fn engine_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

fn engine_is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        // A certificate that is not trusted, for one. No later try mends it.
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => false,
        sqlx::Error::Io(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed => true,
        #[cfg(feature = "postgres")]
        sqlx::Error::Database(error)
            if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() =>
        {
            error.code().is_some_and(|code| super::postgres::is_passing(&code))
        }
        sqlx::Error::Database(error) => error
            .code()
            .and_then(|code| code.parse::<u32>().ok())
            // The low byte is the primary result code: busy, locked, i/o error, disk full, cannot open
            // (https://www.sqlite.org/rescode.html).
            .is_some_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14)),
        _ => false,
    }
}
