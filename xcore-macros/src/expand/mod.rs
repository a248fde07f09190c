//! Generated code: absolute paths, hygienic locals, the user's spans only where an error is the user's.

pub(crate) mod action;
pub(crate) mod app;
pub(crate) mod block;
pub(crate) mod call;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod handle;
pub(crate) mod hook;
pub(crate) mod job;
pub(crate) mod manifest;
pub(crate) mod tokens;
pub(crate) mod undeclared;
