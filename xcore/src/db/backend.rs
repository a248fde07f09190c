//! What a kind of database must offer. SQLite is the first; every other one is a module beside it.
//!
//! Whole statements cross this border, not connections: how a statement finds a connection that stands on its tenant,
//! and whether a switch of tenant travels with it, is the backend's own affair. The invariants that every backend
//! keeps are I1 to I5 of the architecture; what matters most here:
//!
//! - a statement prepared for one tenant never serves another, also when its text is equal;
//! - a future or stream that is dropped at any point leaves no connection whose state is not known;
//! - a tenant whose database is missing is an error, never a fall-through to shared tables.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sea_orm::{DbBackend, DbErr, ExecResult, QueryResult, Statement, TransactionOptions, Values};

use super::drift::Drift;
use super::{DatabaseError, Finding, Inlet, MigrationReport, Migrations, Outlet, Taken};
use crate::tenancy::{Tenant, TenantId};

/// Whose data a statement works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// A tenant's own tables first, then the shared ones.
    Tenant(Tenant),
    /// The shared tables.
    Shared,
    /// What the framework keeps of the tenants. No tenant's connection can read it, whatever its SQL.
    Directory,
}

impl Scope {
    /// The tenant whose plan counts the connection.
    pub(super) fn tenant(&self) -> Option<&Tenant> {
        match self {
            Self::Tenant(tenant) => Some(tenant),
            Self::Shared | Self::Directory => None,
        }
    }
}

/// Which database an operation of the operator works on. It names a tenant that need not be active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// The tenant's own database.
    Tenant(&'a TenantId),
    /// The shared database.
    Shared,
    /// The framework's own.
    Directory,
}

/// Where the text of a statement comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// SeaORM rendered it from a query builder.
    Built,
    /// The user wrote it; its values are bound.
    Raw,
    /// The user wrote it, it may hold several statements and has no values.
    Script,
}

/// A statement on its way to a database.
#[derive(Debug, Clone)]
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) values: Option<Values>,
    pub(crate) origin: Origin,
}

impl Sql {
    pub(crate) fn built(statement: Statement) -> Self {
        Self { text: statement.sql, values: statement.values, origin: Origin::Built }
    }

    pub(crate) fn raw(statement: Statement) -> Self {
        Self { text: statement.sql, values: statement.values, origin: Origin::Raw }
    }

    pub(crate) fn script(text: &str) -> Self {
        Self { text: text.to_owned(), values: None, origin: Origin::Script }
    }
}

/// The right to create, rename or delete one tenant, among all processes that work on the data. It ends when it is dropped.
pub(crate) trait TenantClaim: Send + Sync {
    /// Makes sure that the right is still held: asked before a step that cannot be taken back.
    ///
    /// # Errors
    /// [`DatabaseError::ClaimLost`]. The right is never taken again behind the holder's back: somebody else may have had
    /// it meanwhile, so the holder begins again with what the directory says.
    fn check(&self) -> BoxFuture<'_, Result<(), DatabaseError>>;
}

/// For tests that delete without having claimed.
#[cfg(test)]
impl TenantClaim for () {
    fn check(&self) -> BoxFuture<'_, Result<(), DatabaseError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A row as the driver has it.
#[cfg(feature = "schema-sync")]
pub(crate) type DriverRow = sea_schema::sqlx_types::SqlxRow;

/// Rows as they come.
pub(crate) type Rows<'a> = BoxStream<'a, Result<QueryResult, DbErr>>;

/// The channel over which processes tell each other that the directory has changed, where a database has channels.
pub(crate) const DIRECTORY_CHANNEL: &str = "xcore_directory";

/// A kind of database.
pub(crate) trait Backend: fmt::Debug + Send + Sync + 'static {
    /// How SeaORM renders statements for it.
    fn dialect(&self) -> DbBackend;

    /// Runs a statement outside a transaction.
    fn execute<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<ExecResult, DbErr>>;

    /// Runs a statement outside a transaction and gives its first row.
    fn query_one<'a>(
        &'a self,
        scope: &'a Scope,
        sql: Sql,
    ) -> BoxFuture<'a, Result<Option<QueryResult>, DbErr>>;

    /// Runs a statement outside a transaction and gives all rows.
    fn query_all<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Vec<QueryResult>, DbErr>>;

    /// The same as the driver has them. SeaORM's schema sync reads those, and no `QueryResult` gives one back.
    #[cfg(feature = "schema-sync")]
    fn driver_rows<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Vec<DriverRow>, DbErr>>;

    /// Runs a statement outside a transaction and gives its rows one by one.
    fn stream<'a>(&'a self, scope: &'a Scope, sql: Sql) -> BoxFuture<'a, Result<Rows<'static>, DbErr>>;

    /// Pins a connection and begins a transaction on it.
    fn begin<'a>(
        &'a self,
        scope: &'a Scope,
        options: TransactionOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, DbErr>>;

    /// Pins a connection in which nothing was done before, and begins nothing: the session is at level 0.
    fn pin<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Box<dyn Session>, DbErr>>;

    /// Whether the statement is seen to do nothing but read; `false` when nobody can tell.
    fn only_reads(&self, sql: &Sql) -> bool;

    /// A copy that may answer a read of this scope now, if there is one.
    fn replica<'a>(&'a self, _scope: &'a Scope) -> BoxFuture<'a, Option<Arc<dyn Replica>>> {
        Box::pin(std::future::ready(None))
    }

    /// Makes the tenant's database; does nothing when it exists.
    fn provision<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<(), DatabaseError>>;

    /// Whether the tenant has a database.
    fn exists<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<bool, DatabaseError>>;

    /// All tenants that have a database of their own, sorted.
    fn tenants(&self) -> BoxFuture<'_, Result<Vec<TenantId>, DatabaseError>>;

    /// The right to create or, with `removal`, to delete the tenant, among all processes, for as long as what is given
    /// is held. Waits for it.
    ///
    /// # Errors
    /// [`DatabaseError::Served`] for a removal beside a server that must do it itself; when the right is not to be had.
    fn claim<'a>(
        &'a self,
        id: &'a TenantId,
        removal: bool,
    ) -> BoxFuture<'a, Result<Box<dyn TenantClaim>, DatabaseError>>;

    /// Whether several processes may serve the data at once. Then the others must be given time to notice that a tenant is
    /// being deleted before its data goes.
    fn is_served_by_many(&self) -> bool;

    /// An item whenever the directory may have been changed by another process. `None` where nobody can tell, so that it has to be
    /// asked; who waits asks now and then all the same.
    fn notices(&self) -> Option<BoxStream<'static, ()>> {
        None
    }

    /// Waits for the users of the tenant's database in this process and deletes it, if the claim is still held by then; does
    /// nothing when there is none.
    fn remove<'a>(
        &'a self,
        id: &'a TenantId,
        claim: &'a dyn TenantClaim,
    ) -> BoxFuture<'a, Result<(), DatabaseError>>;

    /// Waits for the users of both names in this process and gives the tenant's database the other name, if the claim, which is on
    /// both, is still held by then. All of it or nothing; does nothing when that was done before.
    ///
    /// # Errors
    /// [`DatabaseError::NameTaken`]; [`DatabaseError::Missing`] when there is a database of neither name;
    /// [`DatabaseError::NamesItself`] when what is in it would go on meaning the old name.
    fn rename<'a>(
        &'a self,
        id: &'a TenantId,
        to: &'a TenantId,
        claim: &'a dyn TenantClaim,
    ) -> BoxFuture<'a, Result<(), DatabaseError>>;

    /// Applies what is pending and reports it.
    fn migrate<'a>(
        &'a self,
        place: Place<'a>,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<MigrationReport, DatabaseError>>;

    /// What [`Backend::migrate`] would apply. Changes nothing.
    fn pending<'a>(
        &'a self,
        place: Place<'a>,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<MigrationReport, DatabaseError>>;

    /// Makes the tenant's database with all that these migrations make, from a template, if there is none; `false` when it has to be
    /// made by running them. All of it, or nothing.
    fn replay<'a>(
        &'a self,
        id: &'a TenantId,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<bool, DatabaseError>>;

    /// Makes the tenant's database of a spare one, which has all that these migrations make, if there is none of the tenant and a spare
    /// one is left. All of it, or nothing; no two tenants ever get the same one.
    fn take_spare<'a>(
        &'a self,
        id: &'a TenantId,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<bool, DatabaseError>>;

    /// One step towards so many spare databases, which no tenant can reach: makes one or drops one, or does nothing. One process at a
    /// time.
    fn tend_spares<'a>(
        &'a self,
        wanted: usize,
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<Tended, DatabaseError>>;

    /// How many spare databases there are, as these migrations make them.
    fn spares<'a>(&'a self, migrations: &'a [Migrations]) -> BoxFuture<'a, Result<usize, DatabaseError>>;

    /// What the databases of tenants have otherwise than one that all migrations of this program have made.
    fn drift<'a>(
        &'a self,
        ids: &'a [TenantId],
        migrations: &'a [Migrations],
    ) -> BoxFuture<'a, Result<Vec<Drift>, DatabaseError>>;

    /// Sends all rows of a tenant's database, as they were at one moment, while it is used.
    fn send<'a>(&'a self, id: &'a TenantId, out: Outlet) -> BoxFuture<'a, Result<(), DatabaseError>>;

    /// Puts rows into a tenant's database in place of those there are, which migrations may have written. All that come, or none.
    fn take<'a>(&'a self, id: &'a TenantId, rows: Inlet) -> BoxFuture<'a, Result<Taken, DatabaseError>>;

    /// What is wrong with the rights that the process and its tenants have. Nothing where there are no rights.
    fn findings(&self) -> BoxFuture<'_, Result<Vec<Finding>, DatabaseError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Lets so many tenants be made, migrated or dropped at once, as far as the connections go; gives how many.
    fn allow_operators(&self, wanted: usize) -> usize {
        wanted
    }

    /// Refuses new users, waits a while for those there are and closes everything.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// What a step for spare databases has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tended {
    /// There are as many as are wanted.
    Enough,
    /// One was made.
    Made,
    /// One too many was dropped, or one of an older program.
    Dropped,
    /// Another process is at it.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "files are served by one process"))]
    Busy,
    /// Tenants of this program are made by running their migrations, so none can be made before.
    Impossible,
}

/// A copy of a database, which may be behind it. It has the same isolation, and a scope means the same life of the same tenant
/// there, or nothing.
pub(crate) trait Replica: Send + Sync {
    /// Where statements are run.
    fn backend(&self) -> &dyn Backend;

    /// Comes to its end when the copy turns out not to be usable, so that nobody waits for it any longer.
    fn went_down(&self) -> BoxFuture<'_, ()>;

    /// What an error means for the read that met it.
    fn judge(&self, error: &DbErr, scope: &Scope) -> Answer;
}

/// What a failed read on a [`Replica`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only servers have replicas"))]
pub(crate) enum Answer {
    /// The statement is at fault: the error is the result.
    Final,
    /// The copy is behind, or takes its time to catch up: the primary is asked.
    Behind,
    /// The copy is not usable: another one is asked, or the primary.
    Down,
}

/// A pinned connection. Level 1 is a transaction, those above are savepoints; at level 0 each statement is by itself, and
/// before each of them the session is made to stand on its tenant again if it may have been moved.
///
/// Dropping a session rolls back what is open. After a future of it was dropped half-way, a session either knows that
/// nothing was written or refuses to go on.
pub(crate) trait Session: Send {
    /// How many levels are open: 1 after `begin`, 0 after `pin` and once the transaction has ended.
    fn level(&self) -> u32;

    fn execute(&mut self, sql: Sql) -> BoxFuture<'_, Result<ExecResult, DbErr>>;

    fn query_one(&mut self, sql: Sql) -> BoxFuture<'_, Result<Option<QueryResult>, DbErr>>;

    fn query_all(&mut self, sql: Sql) -> BoxFuture<'_, Result<Vec<QueryResult>, DbErr>>;

    /// The rows as the driver has them.
    #[cfg(feature = "schema-sync")]
    fn driver_rows(&mut self, sql: Sql) -> BoxFuture<'_, Result<Vec<DriverRow>, DbErr>>;

    fn stream(&mut self, sql: Sql) -> Result<Rows<'_>, DbErr>;

    /// Opens one more level. The options are for a transaction; a savepoint has those of its transaction.
    fn nest(&mut self, options: TransactionOptions) -> BoxFuture<'_, Result<(), DbErr>>;

    /// Keeps what was done at this level and those above it, and closes them.
    fn commit(&mut self, level: u32) -> BoxFuture<'_, Result<(), DbErr>>;

    /// Undoes what was done at this level and those above it, and closes them.
    fn rollback(&mut self, level: u32) -> BoxFuture<'_, Result<(), DbErr>>;
}
