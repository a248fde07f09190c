//! What the analysis promises.

mod depth;
mod differential;
mod golden;
mod plain;
mod random;
mod server;
