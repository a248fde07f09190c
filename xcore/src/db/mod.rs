//! The database service: SeaORM on a database per tenant.
//!
//! [`TenantDb`] is what a context holds. Every SeaORM method works with `&ctx.db`, and all of them see the tenant's own
//! tables first, then the shared ones. [`SharedDb`] is the shared database itself, for plugins that were granted
//! `central`. Behind both stands one kind of database; SQLite is the embedded default.
//!
//! # SQLite
//! ```text
//! data/locks/              held while a tenant is created or deleted
//! data/xcore.lock          held by the process that serves
//! data/directory.db        which tenants there are; no tenant's connection can read it
//! data/shared.db           shared tables; also the tenant `public`, and everybody with `isolate_db: false`
//! data/tenants/acme.db     one file per tenant
//! ```
//!
//! | | |
//! |---|---|
//! | names | a connection of a tenant has its own file as `main` and the shared file attached read-only as `shared`. An unqualified name is looked for in that order, the meaning of `search_path = "<tenant>", public` |
//! | journal | write-ahead log: readers and the writer do not wait for each other |
//! | durability | `synchronous = FULL`: the log is flushed to the disk before a commit is acknowledged. It survives a killed process and a power cut. (`NORMAL` would survive a killed process too, but a power cut could take the last commits back.) |
//! | writers | one at a time per file, first come first served. `begin()` takes the write lock at once (`BEGIN IMMEDIATE`), so two writers wait for each other instead of failing with a stale snapshot; a transaction that only reads should say so ([`AccessMode::ReadOnly`](sea_orm::AccessMode)) and then waits for nobody |
//! | foreign keys | enforced; they cannot point from a tenant's table to a shared one |
//! | open files | at most `max_open` tenant databases, the least recently used idle one is closed for the next. A connection is opened when it is needed, at most `connections` per database; each is a thread and about four descriptors |
//! | privacy | folders and files are made for their owner only (0700, 0600) |
//!
//! A tenant's file that is missing is an error, never an empty database or the shared one. Files are taken only from the
//! tenant's id; a symbolic link, a hard link or a file of another origin is refused.
//!
//! Do not copy, replace or delete these files while a server runs. Outside of it, a tenant's data is the one file, once
//! the server has been stopped.

mod backend;
mod database;
mod error;
mod handle;
mod migrations;
mod rows;
mod settings;
mod sqlite;
mod transaction;

pub(crate) use backend::TenantClaim;
pub use database::Database;
pub use error::DatabaseError;
pub use handle::{SharedDb, TenantDb};
pub use migrations::{MigrationReport, Migrations, PluginMigrations};
pub use rows::RowStream;
pub use settings::{DatabaseSettings, OpenMode};
pub use transaction::Transaction;

#[cfg(test)]
mod tests;
