//! PostgreSQL: a schema per tenant on one server.
//!
//! | invariant | kept in |
//! |---|---|
//! | I1 a connection's tenant is unknown until the reply to its switch was read | `connection.rs`, on the contract of `switch.rs` |
//! | I2 a connection whose operation did not run to its end is reset or closed | `lease.rs`, `cleaning.rs` |
//! | I3 SQL that may change the session leads to a full reset | `text.rs`, `user_code.rs`, `lease.rs`, `look.rs` |
//! | I4 a fresh or reset session's search path names nothing | `pg.rs` |
//! | I5 a missing schema is an error | `target.rs`, `pool.rs`, `migrate.rs` |
//!
//! Whose rights a session has is in `roles`.
//!
//! A statement goes one of two ways. Most are read (`qualify`), sent with the tenant's schema before each table, and need no
//! switch (`in_full.rs`, `plain.rs`). The rest goes by the session's search path (`alone.rs`, `session.rs`).
//!
//! All that is for sessions which stay. Behind a pooler in transaction mode each unit of work is a transaction: `pooler`.

mod alone;
mod body;
mod claim;
mod cleaning;
mod connection;
mod dropping;
mod in_full;
mod lease;
mod look;
mod migrate;
mod notices;
mod operators;
mod pg;
mod plain;
mod pool;
mod pooler;
mod qualify;
mod rename;
mod replay;
mod replica;
mod roles;
mod run;
mod schema;
mod service;
mod session;
mod stats;
mod switch;
mod target;
mod text;
mod transfer;
mod user_code;
mod watch;

pub(super) use pooler::Pooled;
pub(super) use run::is_passing;
pub(super) use service::Postgres;

#[cfg(test)]
mod mutants;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::url_of_a_new_database;
