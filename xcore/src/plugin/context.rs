//! The context of a call: a tenant and what belongs to it.

use std::any::TypeId;
use std::sync::Arc;

use axum::extract::FromRef;
use axum::http::request::Parts;

use super::{AppState, Mounted, Plugin, Runtime, Scope};
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

/// Makes a context of a request: what its `FromRequestParts` does.
pub async fn context_from_parts<P, S>(parts: &mut Parts, state: &S) -> Result<P::Context, Error>
where
    P: Plugin,
    S: Send + Sync,
    AppState: FromRef<S>,
{
    let AppState { runtime, plugin, scope } = AppState::from_ref(state);
    // I6: a context holds what its plugin was granted, so it is no way around `requires`, `callers` and grants.
    if let Some((serving, caller)) = plugin
        && serving != TypeId::of::<P>()
    {
        return Err(Error::internal(ForeignContext { caller, plugin: P::NAME }));
    }
    let mounted = runtime.plugin::<P>().ok_or_else(|| not_running(P::NAME))?;
    Ok(P::Context::new(&mounted, admit(&runtime, scope, parts).await?))
}

impl<S> axum::extract::FromRequestParts<S> for Tenant
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let AppState { runtime, scope, .. } = AppState::from_ref(state);
        admit(&runtime, scope, parts).await
    }
}

/// The tenant of a request, as an argument of an action. I7: it is the one that the call itself belongs to, or none.
async fn admit(runtime: &Runtime, scope: Scope, parts: &Parts) -> Result<Tenant, Error> {
    match scope {
        Scope::Tenant => {
            let admitted = runtime.admission.admit(parts).await;
            admitted.map_err(|refused| runtime.refusal(refused, &parts.headers))
        }
        Scope::Any => {
            let named = runtime.admission.admit_named(parts).await;
            let named = named.map_err(|refused| runtime.refusal(refused, &parts.headers))?;
            named.ok_or_else(|| Error::internal(NoTenantHere { scope }))
        }
        Scope::Central => Err(Error::internal(NoTenantHere { scope })),
    }
}

/// An action asks for a tenant that its call need not have.
#[derive(Debug, thiserror::Error)]
#[error(
    "an action with `scope = \"{}\"` takes a tenant as an argument, and this call belongs to none; take `ctx: &AnyContext<Self>` \
     and ask its `tenant()`", scope.as_str()
)]
struct NoTenantHere {
    scope: Scope,
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
