//! Plugins: what they say of themselves, the context of a call, and the supervisor that every call goes through.
//!
//! A call comes over HTTP, from another plugin, from a job or by name. All four make a context for one tenant and run
//! under the same time limit, panic barrier and span.

mod app_context;
mod config;
mod context;
mod erased;
mod glue;
mod handle;
mod limited;
mod manifest;
mod mounted;
pub mod proof;
mod route;
mod runtime;
pub mod schema;
mod scoped;
mod serve;
mod supervisor;
mod undeclared;

pub use app_context::{AnyContext, AppContext, mounted_of_app};
pub use config::{FieldSpec, NoConfig, PluginConfig};
pub use context::{Central, PluginContext, context_from_parts};
pub use erased::{AnyPlugin, Facts, MountedPlugin, SectionError, SectionReader, any_plugin};
pub use glue::{Done, HeadArgument, LastArgument, done, extract_last, extract_part, outcome};
pub use handle::{Link, NoTenant, OfCaller, link};
pub use manifest::{
    ActionEntry, ActionSpec, Callers, Hooks, JobEntry, JobSpec, Plugin, PluginActions, Requirement, RunJob,
    Scope, Trigger, Verb,
};
pub use mounted::Mounted;
pub use route::route;
pub use runtime::{AppState, Runtime};
pub use schema::ServiceName;
pub use scoped::{route_any, route_central};
pub use undeclared::{
    DeclaresCache, DeclaresScheduler, DeclaresSchedulerFor, UndeclaredCache, UndeclaredScheduler,
};

pub(crate) use erased::{AnyMounted, AppHook, TenantHook};
pub(crate) use glue::chain;
pub(crate) use runtime::SuspendedPage;
pub(crate) use supervisor::X_REQUEST_ID;
