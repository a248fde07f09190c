//! An app with six plugins, and what the tests need to drive it: in process ([`Rig`]), as a program ([`Program`]) and
//! byte by byte ([`wire`]).
#![allow(clippy::unwrap_used, reason = "a test without its harness has nothing to say")]

pub mod chaos;
mod kills;
pub mod plugins;
#[cfg(feature = "postgres")]
mod postgres;
mod program;
mod redis;
mod rig;
pub mod wire;

pub use kills::Victim;
#[cfg(feature = "postgres")]
pub use postgres::PostgresServer;
pub use program::{Program, Server, eventually};
pub use redis::RedisServer;
pub use rig::{Answer, Rig};

xcore::app! {
    plugins::echo::Echo,
    plugins::notes::Notes,
    plugins::desk::Desk,
    plugins::board::Board,
    plugins::board::Clerk,
    plugins::probe::Probe,
}
