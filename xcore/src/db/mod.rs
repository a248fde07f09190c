//! The database service: SeaORM on a database per tenant.
//!
//! [`TenantDb`] is what a context holds. Every SeaORM method works with `&ctx.db`, and all of them see the tenant's own
//! tables first, then the shared ones. [`SharedDb`] is the shared database itself, for plugins that were granted
//! `central`. Behind both stands one kind of database: SQLite is the embedded default, a PostgreSQL server is used with
//! `services.database.url: postgres://..` and the Cargo feature `postgres`.
//!
//! # SQLite
//! ```text
//! data/locks/acme.lock     there while the tenant is created or deleted
//! data/xcore.lock          held by the process that serves
//! data/directory.db        which tenants there are; no tenant's connection can read it
//! data/template-*.db       what all migrations make: new tenants are copies of it, and `check` compares them with it
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
//!
//! # PostgreSQL
//! ```text
//! schema xcore_directory   which tenants there are; on no tenant's search path
//! schema public            shared tables; also the tenant `public`, and everybody with `isolate_db: false`
//! schema "acme"            one schema per tenant, marked as one by its comment
//! schema xcore_template    what all migrations make: new tenants are made from it, and `check` compares them with it
//! ```
//!
//! | | |
//! |---|---|
//! | names | a statement of a tenant runs with `search_path = "<tenant>", public`. A session that belongs to nobody has a path that names nothing |
//! | connections | `connections` of them for all tenants together, of which `min_connections` are kept open. A session remembers its tenant and is switched, in one round trip that also asks whether the schema exists, only for another one; tenants keep to the same sessions |
//! | plans | belong to one tenant: two tenants may differ in version. A plan that outlives its table, because somebody else changed it, is made anew. In a transaction that has done something before, the statement is [`DatabaseError::TablesChanged`]: run the transaction again |
//! | locks | a statement waits `busy_timeout` for a lock (`lock_timeout`), and takes at most `statement_timeout` where that is set; migrations take the time they take |
//! | raw SQL | whatever may change a session (anything but one plain `SELECT`, `INSERT`, `UPDATE` or `DELETE` that calls well-known functions) costs a full reset of it afterwards. `lastval()` and `currval()` cost one before, so they know of the same text's inserts only; in a transaction they are refused, unless it was begun on a [`session()`](TenantDb::session). `RETURNING` needs none of this |
//! | a schema dropped or renamed by somebody else | is an error within a second; until then a statement may find a shared table of the same name |
//! | processes | any number of them may serve one database. Creating and deleting a tenant takes the tenant's claim, an advisory lock, so that one process at a time does it; making, migrating and dropping a schema takes a second one. Neither hinders a process that serves. A claim whose session was lost is an error before anything is dropped, and never taken again silently |
//! | removal | of a tenant: from the mark in the directory on, nobody admits it. The other processes notice that within two seconds and end its contexts; then its users in this process are waited for and the schema is dropped |
//! | sessions | beside `connections`, for the time they take: one for all tenants that the process creates or deletes, and one per schema that it makes, migrates or drops, at most 8 at once, and never more than `connections`; `migrate --parallel` allows more |
//!
//! # Several servers
//! ```yaml
//! services:
//!   database:
//!     servers:
//!       eu: "${EU_URL}"                                        # the first: the directory, the shared tables
//!       us: { url: "${US_URL}", replicas: ["${US_REPLICA}"] }
//! ```
//!
//! | | |
//! |---|---|
//! | placement | a new tenant is placed on the server with the least tenants, or where `tenant create NAME --server us` says. The directory keeps it, and a tenant stays where it is |
//! | the first server | holds the directory of tenants, the claims on them, the shared tables and the tenant `public`. So it must stay the first: a server that holds a directory and is not the first is refused at start |
//! | shared tables | are on the first server only. A plugin reaches them with `services(central)` from everywhere. Through `ctx.db` they are read by the tenants of the first server; on another one their names do not exist. Migrations of tenants cannot refer to them |
//! | `connections` and the other keys | hold for each server and each replica |
//! | `tenancy.db_role` | roles, logins and their group are made on each server by itself |
//! | a server that is away | the tenants of the others are served. At start, a first server that is away stops the start; another one is waited for: its tenants get 503, and their migrations run when it is back. New tenants are placed elsewhere meanwhile |
//! | a server that is not named any more | its tenants get 503 and cannot be deleted; `check` and the log of the start name them |
//! | moving a tenant | is an operator's work: end its writes, copy its schema with its comment, and change `server` in `xcore_directory.xcore_tenants` and the number in `xcore_directory.xcore_directory` in one transaction |
//!
//! # Replicas
//! [`TenantDb::read`] gives a handle for reads that a streaming replica may answer; `services.database.replicas` names those of a
//! single server. A replica is behind: what was written a moment ago need not be there yet. The isolation is the same, and a
//! replica never shows an earlier tenant of the same name, however far it is behind. It is asked every second whether it is one and of
//! this cluster; for that the user of the database needs the right to call `pg_control_system()`, which everybody has by default.
//! When it is away, has not got the tenant or a table yet, or has to cancel a read, the primary answers. A process keeps one session
//! more per replica. Statements are not sent in full to a replica, because only a switch asks whether the schema is that of this tenant: a
//! session is switched there whenever it serves another tenant than before, so with many tenants a replica takes load off the primary and
//! does not make a read faster. It has the rights of the
//! login in the replica's address, so `db_role: set_role` and `login` are refused with replicas when the app is built.
//!
//! After a failover, a replica that still follows the old primary is of the same cluster and not told apart: it answers with what was
//! true before the failover, and gets older. So let every replica follow the new primary, or end it, before the app is told of the new one.
//!
//! # Rights and addresses
//! Whose rights a tenant has is `tenancy.db_role`:
//!
//! | | works as | stops | costs |
//! |---|---|---|---|
//! | `shared` | the login of the address, for all tenants | mistakes. Raw SQL that names another tenant's schema reaches it | nothing |
//! | `set_role` | a role per tenant, which that login takes on with the search path | also names of other schemas, and reads of the framework's own. Not SQL of an attacker: `RESET ROLE` or `set_config('role', ..)` in the same text puts the role off | a switch for each change of tenant |
//! | `login` | a login per tenant | that too: no SQL gets out of it | a connection serves one tenant. With fewer `connections` than tenants at work, connections are closed and opened all the time. Once a second the framework asks for what was defined, with the login of the address: allow one connection more for that, or it takes the place of the tenant that has not been there for longest |
//!
//! The last two make a role `xcore_HASH_TENANT` per tenant, which owns its schema, and a group `xcore_tenants_HASH`, which may read and write rows of the
//! shared tables. The login of the address needs `CREATEROLE` and `CREATE` on the database, and should be no superuser, which `check` refuses in
//! production. `login` needs a line in `pg_hba.conf` that asks the members of the group for a password:
//!
//! ```text
//! hostssl shop +xcore_tenants_1a2b3c4d 10.0.0.0/8 scram-sha-256
//! ```
//!
//! When `db_role` is changed, the next start or `migrate` hands the schemas over; stop all instances before. With a role, a tenant's migrations cannot change shared tables or make
//! extensions. The tenant `public` and `services(central)` work with the login of the address. Names of schemas and tables are seen by all. What a tenant's own code
//! defines, triggers and functions of migrations for example, must not change the session.
//!
//! Behind a pooler in transaction mode, such as PgBouncer, write `pooler: transaction` and, as `direct_url`, the
//! address of the server itself; without that such a pooler is refused at start. Then every statement is a transaction
//! of its own, which sets its tenant's path and limits for itself alone in a session made as good as new, and `begin()`
//! does the same for yours. That costs three round trips more than a statement over a connection to the server.
//! [`session()`](TenantDb::session), `BEGIN` and `COMMIT` in raw SQL, and statements that cannot be part of a
//! transaction are refused; migrations run on the server itself. `lastval()` in a transaction knows of that
//! transaction's inserts. At start two tenants that do not exist write and read through the pooler, and the start is
//! refused when one sees the other. The pooler's login should be the app's own: what others set for the sessions that
//! they share is cleared. `db_role: set_role` works the same behind it, `login` does not: connections are shared there.
//!
//! The rest of the address is read as PostgreSQL's own programs read it. `sslmode` decides about TLS: `prefer`, the default,
//! takes it when the server has it and asks for no proof of who the server is; `require` goes on with TLS only, and asks
//! for no proof either; `verify-ca` and `verify-full` ask for a certificate that the machine trusts, or the one that
//! `sslrootcert` names. Over a network that is not your own, use `verify-full`.
//!
//! # Metrics
//! The pool of connections to a PostgreSQL server tells its figures through the crate [`metrics`](https://docs.rs/metrics), to whichever
//! recorder the app has installed, such as `metrics-exporter-prometheus`. Install it before the app starts, or its descriptions are
//! missing. The label `pool` is `HOST:PORT/DATABASE` of the address that the connections lead to; a pooler is one and the server
//! behind it another. No figure is labelled with a tenant: there may be any number of them.
//!
//! | name | kind, unit | what |
//! |---|---|---|
//! | `xcore_db_connections` | gauge | connections, by `state`: `active` or `idle` |
//! | `xcore_db_connections_max` | gauge | how many are allowed (`connections`) |
//! | `xcore_db_acquire_waiting` | gauge | callers that wait for a connection |
//! | `xcore_db_acquire_wait_seconds` | histogram, seconds | how long they waited, of those who had to |
//! | `xcore_db_acquire_timeouts_total` | counter | callers for whom none became free in time |
//! | `xcore_db_connect_seconds` | histogram, seconds | how long it took to open a connection; its count is how many were opened |
//! | `xcore_db_connect_failures_total` | counter | attempts to open one that failed |
//! | `xcore_db_connections_lost_total` | counter | connections that were found broken |
//! | `xcore_db_statements_total` | counter | statements sent, by `way`: `in_full` (they name their tables in full), `by_path` (a session on the tenant's path), `in_unit` (a transaction behind a pooler) |
//! | `xcore_db_switches_total` | counter | switches of a session to a tenant; behind a pooler, transactions that set their path |
//! | `xcore_db_resets_total` | counter | full resets of a session, each of which costs its prepared statements |
//! | `xcore_db_sessions_found_changed_total` | counter | sessions that code of a tenant had changed unseen, and that were reset; look at that tenant's functions |
//!
//! The counters and gauges are told once a second and when the service closes.
//!
//! # Schema sync
//! With the Cargo feature `schema-sync` SeaORM's `SchemaBuilder::sync` works on every handle, session and transaction here: it makes the
//! tables, columns, keys and indexes that entities have and the database lacks. A tenant's sync looks at the tenant's own tables only:
//! where a shared table has the name of an entity, the tenant gets one of its own. An entity that names a schema
//! (`schema_name`) is looked for there, as in any statement. It holds no lock, so let one process at a time do it; SeaORM calls
//! it experimental. For what goes to production write migrations.
//!
//! ```no_run
//! # #[cfg(feature = "schema-sync")]
//! # async fn sync<E: sea_orm::EntityTrait>(db: &xcore::db::TenantDb, entity: E) -> Result<(), sea_orm::DbErr> {
//! use sea_orm::{ConnectionTrait, Schema};
//!
//! Schema::new(db.get_database_backend()).builder().register(entity).sync(db).await
//! # }
//! ```

mod backend;
mod database;
mod drift;
mod error;
mod handle;
mod late;
mod migrations;
#[cfg(feature = "postgres")]
mod postgres;
mod read;
mod reading;
mod rows;
#[cfg(feature = "schema-sync")]
mod schema_sync;
mod servers;
mod session;
mod settings;
mod sqlite;
mod template;
mod transaction;
mod transfer;
mod waiting;

pub(crate) use backend::{DIRECTORY_CHANNEL, TenantClaim, Tended};
pub use database::Database;
pub(crate) use drift::Drift;
pub use error::DatabaseError;
pub use handle::{ReadDb, SharedDb, TenantDb};
pub use migrations::{MigrationReport, Migrations, PluginMigrations};
pub use rows::RowStream;
pub(crate) use servers::{ServerSettings, Servers};
pub use session::DbSession;
pub(crate) use settings::Finding;
pub use settings::{DatabaseSettings, DbRole, OpenMode, ServerUrl};
pub use transaction::Transaction;
pub(crate) use transfer::{
    Applied, Form, Inlet, Outlet, PIECE, Piece, Sequence, Table, Taken, UnknownMigrations, of_applied, way,
};

#[cfg(all(test, feature = "postgres"))]
pub(crate) use postgres::url_of_a_new_database;
#[cfg(test)]
mod tests;
