//! The command line of an app's binary.

mod archive;
mod arguments;
mod check;
mod credentials;
mod failure;
mod migrate;
mod progress;
mod routes;
mod run;
mod serve;
mod tenant;

pub(super) use run::run;
