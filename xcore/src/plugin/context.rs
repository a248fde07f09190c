//! The context of a call: a tenant and what belongs to it.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use axum::extract::FromRef;
use axum::http::request::Parts;

use super::{AppState, Mounted, Plugin};
use crate::cache::SharedCache;
use crate::db::SharedDb;
use crate::error::Error;
use crate::tenancy::Tenant;

/// The struct that `#[xcore::plugin]` generates per plugin: `Orders` gives `OrdersContext`.
///
/// It is cheap to clone and may move into a spawned task: it carries its tenant (I7: nothing reads the tenant of a call
/// from a task-local or a global).
pub trait PluginContext: Clone + Send + Sync + 'static {
    /// The plugin whose context it is.
    type Plugin: Plugin<Context = Self>;

    #[doc(hidden)]
    fn new(mounted: &Arc<Mounted<Self::Plugin>>, tenant: Tenant) -> Self;

    #[doc(hidden)]
    fn mounted(&self) -> &Mounted<Self::Plugin>;
}

/// What belongs to no tenant: `services(central)`, granted per plugin in `xcore.yaml`.
///
/// This is the only way past the isolation. `check` prints which plugins have it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Central {
    /// The shared database. Its tables can be read by every tenant; writing them takes this handle.
    pub db: SharedDb,
    /// Keys that belong to no tenant; `None` when the app has no cache.
    pub cache: Option<SharedCache>,
}

/// What the hooks of start and stop get: the app, without a tenant.
pub struct AppContext<P: Plugin> {
    mounted: Arc<Mounted<P>>,
}

impl<P: Plugin> AppContext<P> {
    #[doc(hidden)]
    pub fn new(mounted: &Arc<Mounted<P>>) -> Self {
        Self { mounted: Arc::clone(mounted) }
    }

    /// `app.name` of `xcore.yaml`.
    #[must_use]
    pub fn app_name(&self) -> &str {
        &self.mounted.runtime().app_name
    }

    /// The plugin's section of `xcore.yaml`.
    #[must_use]
    pub fn config(&self) -> Arc<P::Config> {
        self.mounted.config()
    }
}

impl<P: Plugin> fmt::Debug for AppContext<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppContext").field("plugin", &P::NAME).finish_non_exhaustive()
    }
}

/// Makes a context of a request: what its `FromRequestParts` does.
pub async fn context_from_parts<P, S>(parts: &mut Parts, state: &S) -> Result<P::Context, Error>
where
    P: Plugin,
    S: Send + Sync,
    AppState: FromRef<S>,
{
    let AppState { runtime, plugin } = AppState::from_ref(state);
    // I6: a context holds what its plugin was granted, so it is no way around `requires`, `callers` and grants.
    if let Some((serving, caller)) = plugin
        && serving != TypeId::of::<P>()
    {
        return Err(Error::internal(ForeignContext { caller, plugin: P::NAME }));
    }
    let mounted = runtime.plugin::<P>().ok_or_else(|| not_running(P::NAME))?;
    let tenant = runtime.admission.admit(&parts.headers, &parts.uri, &parts.extensions).await?;
    Ok(P::Context::new(&mounted, tenant))
}

impl<S> axum::extract::FromRequestParts<S> for Tenant
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let AppState { runtime, .. } = AppState::from_ref(state);
        Ok(runtime.admission.admit(&parts.headers, &parts.uri, &parts.extensions).await?)
    }
}

/// An action asks for the context of another plugin.
#[derive(Debug, thiserror::Error)]
#[error(
    "an action of plugin `{caller}` takes the context of plugin `{plugin}` as an argument, which would give it what `{plugin}` \
     was granted; call the plugin with `ctx.call` instead"
)]
struct ForeignContext {
    caller: &'static str,
    plugin: &'static str,
}

pub(super) fn not_running(plugin: &str) -> Error {
    Error::unavailable(format!("plugin `{plugin}` is not running"), crate::error::RETRY)
}
