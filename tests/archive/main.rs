//! Tenants that are exported, imported and cloned: what comes out is what went in, or nothing.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod damaged;
mod killed;
mod postgres;
mod programs;
mod sqlite;
mod stage;
