//! Plugins over HTTP: the router, and requests that the app makes to itself.

mod by_name;
mod by_path;
mod router;

pub(crate) use by_name::{CallError, request_for};
pub(crate) use by_path::below_tenants;
pub(crate) use router::{full_path, router, routers_by_name};
