//! The template: a schema that no tenant has, made by running all migrations of this program once.
//!
//! Tenants are compared with it, and made from it: what it holds is captured as one script, which is proved to make the same again.

mod capture;
mod fingerprint;
mod script;
mod spares;
mod template;

pub(super) use fingerprint::parts;
pub(super) use script::Replay;
