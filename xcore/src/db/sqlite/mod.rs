//! SQLite: a file per tenant, beside one that is shared.

mod claim;
mod connection;
mod file;
mod layout;
mod lease;
mod migrate;
mod registry;
mod run;
mod service;
mod session;
mod template;
mod text;
mod transfer;

pub(super) use service::Sqlite;
