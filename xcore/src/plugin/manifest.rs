//! What a plugin says of itself: its actions, jobs and hooks, as the macros write them down.

use std::sync::Arc;
use std::time::Duration;

use axum::routing::MethodRouter;
use futures_util::future::BoxFuture;

use super::{Link, Mounted, PluginConfig, PluginContext, ServiceName};
use crate::db::Migrations;
use crate::error::Error;
use crate::scheduler::{JobArguments, Misfire, Overlap, Per, Retries};

/// A plugin: a struct under `#[xcore::plugin]`.
///
/// The macro implements it; nobody else should. It holds what the struct says. What the impl block says is in
/// [`PluginActions`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a plugin",
    label = "no `#[xcore::plugin]` stands on this type",
    note = "write `#[xcore::plugin]` on the struct as well as on its impl block"
)]
pub trait Plugin: Sized + Send + Sync + 'static {
    /// Its name in `xcore.yaml`, in routes and on the command line.
    const NAME: &'static str;
    /// Its version, for `requires(..)`.
    const VERSION: &'static str;
    /// Where its routes are mounted, below `app.prefix`.
    const PATH: &'static str;
    /// The services that it declares.
    const SERVICES: &'static [ServiceName];
    /// The plugins that it calls.
    const REQUIRES: &'static [Requirement];
    /// The struct that its methods get as `ctx`.
    type Context: PluginContext<Plugin = Self>;
    /// Its section of `xcore.yaml`.
    type Config: PluginConfig;
    /// [`SERVICES`](Plugin::SERVICES) as types, for the proofs at `app!`.
    type Services;

    /// Makes the one instance of an app.
    #[doc(hidden)]
    fn create() -> Self;
    #[doc(hidden)]
    fn migrations() -> Option<Migrations>;
    #[doc(hidden)]
    fn shared_migrations() -> Option<Migrations>;
}

/// What the one `#[xcore::plugin] impl` block of a plugin says.
#[diagnostic::on_unimplemented(
    message = "plugin `{Self}` has no `#[xcore::plugin]` impl block",
    label = "no actions are known for this plugin",
    note = "write `#[xcore::plugin] impl {Self} {{ .. }}` beside the struct; it may be empty"
)]
pub trait PluginActions: Plugin {
    /// Its actions, in the order of the source.
    const ACTIONS: &'static [ActionSpec];
    /// Its jobs, in the order of the source.
    const JOBS: &'static [JobSpec];
    /// What `ctx.call::<Self>()` gives to the plugin `C`, for calls in a [`Tenant`](crate::Tenant) or in [`NoTenant`](super::NoTenant).
    type Handle<C: Plugin, CallerTenant>;
    /// The jobs, to hand to a scheduler.
    type Jobs;

    #[doc(hidden)]
    fn handle<C: Plugin, CallerTenant>(link: Link<Self, C, CallerTenant>) -> Self::Handle<C, CallerTenant>;
    #[doc(hidden)]
    fn actions() -> Vec<ActionEntry<Self>>;
    #[doc(hidden)]
    fn jobs() -> Vec<JobEntry<Self>>;
    #[doc(hidden)]
    fn hooks() -> Hooks<Self>;
}

/// A plugin that another one needs.
#[derive(Debug, Clone, Copy)]
pub struct Requirement {
    /// The name of the plugin that is needed.
    pub name: &'static str,
    /// The version that is compiled in.
    pub version: &'static str,
    /// The versions that fit, as Cargo writes them; `None` takes any.
    pub wanted: Option<&'static str>,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are those of RFC 9110")]
pub enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
}

impl Verb {
    /// As it stands in a request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }
}

/// To whom a call of an action belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// To a tenant.
    Tenant,
    /// To nobody.
    Central,
    /// To a tenant when one is named, otherwise to nobody.
    Any,
}

impl Scope {
    /// As it stands in `scope = ".."`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Central => "central",
            Self::Any => "any",
        }
    }
}

/// Which plugins may call an action. HTTP always may, unless the action is internal.
#[derive(Debug, Clone, Copy)]
pub enum Callers {
    /// Every plugin.
    Any,
    /// These, by name.
    Only(&'static [&'static str]),
}

/// What `#[action(..)]` says.
#[derive(Debug, Clone, Copy)]
pub struct ActionSpec {
    /// The plugin's name.
    pub plugin: &'static str,
    /// The method's name.
    pub name: &'static str,
    /// The HTTP method.
    pub verb: Verb,
    /// The path below the plugin's own.
    pub path: &'static str,
    /// To whom a call belongs.
    pub scope: Scope,
    /// The status of a success instead of 200.
    pub status: Option<u16>,
    /// The time it may take instead of `app.request_timeout`.
    pub timeout: Option<Duration>,
    /// Whether HTTP cannot reach it.
    pub internal: bool,
    /// Which plugins may call it.
    pub callers: Callers,
    /// The first line of its doc comment.
    pub summary: &'static str,
    /// The rest of its doc comment.
    pub description: &'static str,
}

impl ActionSpec {
    /// Whether a browser can show it for a tenant without arguments.
    pub(crate) fn is_plain_get(&self) -> bool {
        let is_of_tenant = self.scope != Scope::Central;
        self.verb == Verb::Get && is_of_tenant && !self.internal && !self.path.contains('{')
    }
}

/// When a job runs by itself.
#[derive(Debug, Clone, Copy)]
pub enum Trigger {
    /// A cron expression of five or six fields.
    Cron(&'static str),
    /// Again and again after this time.
    Every(Duration),
}

/// What `#[job(..)]` says.
#[derive(Debug, Clone, Copy)]
pub struct JobSpec {
    /// The plugin's name.
    pub plugin: &'static str,
    /// The method's name.
    pub name: &'static str,
    /// When it runs; `None` runs only when it is asked to.
    pub trigger: Option<Trigger>,
    /// The IANA time zone of its cron expression instead of `services.scheduler.timezone`.
    pub timezone: Option<&'static str>,
    /// For whom it runs.
    pub per: Per,
    /// What happens when it is due while it still runs for the same tenant.
    pub overlap: Overlap,
    /// The time that a run may take; `None` is no limit.
    pub timeout: Option<Duration>,
    /// How often a run that failed is tried again.
    pub retries: Retries,
    /// The time over which the runs of a tick are spread instead of `services.scheduler.spread`.
    pub jitter: Option<Duration>,
    /// What happens at ticks that were missed.
    pub misfire: Misfire,
    /// The first line of its doc comment.
    pub summary: &'static str,
}

/// An action and its route.
pub struct ActionEntry<P: Plugin> {
    /// What the attribute says.
    pub spec: &'static ActionSpec,
    /// Makes the route, which extracts the arguments, calls the method and makes a response of the result.
    pub route: fn(Arc<Mounted<P>>) -> MethodRouter,
}

type Run<P> = fn(Arc<Mounted<P>>, <P as Plugin>::Context) -> BoxFuture<'static, Result<(), Error>>;
type JobMethod<P> =
    fn(Arc<Mounted<P>>, <P as Plugin>::Context, JobArguments) -> BoxFuture<'static, Result<(), Error>>;
type AppRun<P> = fn(Arc<Mounted<P>>) -> BoxFuture<'static, Result<(), Error>>;

/// A job and its method.
pub struct JobEntry<P: Plugin> {
    /// What the attribute says.
    pub spec: &'static JobSpec,
    /// Calls the method.
    pub run: RunJob<P>,
}

/// Calls the method of a job.
pub enum RunJob<P: Plugin> {
    /// In the context of a tenant.
    Tenant(JobMethod<P>),
    /// In the context of the app, which belongs to no tenant.
    App(AppRun<P>),
}

/// The `#[on(..)]` methods of a plugin.
pub struct Hooks<P: Plugin> {
    /// Before the first request.
    pub start: Option<AppRun<P>>,
    /// After the last request.
    pub stop: Option<AppRun<P>>,
    /// After a tenant's migrations, before it is active.
    pub tenant_created: Option<Run<P>>,
    /// Before a tenant's data is dropped.
    pub tenant_deleted: Option<Run<P>>,
}

impl<P: Plugin> Default for Hooks<P> {
    fn default() -> Self {
        Self { start: None, stop: None, tenant_created: None, tenant_deleted: None }
    }
}
