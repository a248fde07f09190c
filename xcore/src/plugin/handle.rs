//! Calls from one plugin to another, through the supervisor.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::context::not_running;
use super::supervisor::{Call, supervise};
use super::{ActionSpec, Callers, Mounted, Plugin, PluginActions, PluginContext};
use crate::error::{Error, Result};
use crate::tenancy::Tenant;

/// What a typed handle holds: the plugin `P` in the tenant of the caller `C`.
pub struct Link<P: Plugin, C: Plugin> {
    mounted: Option<Arc<Mounted<P>>>,
    tenant: Tenant,
    caller: PhantomData<fn(C)>,
}

/// Makes the handle of `ctx.call::<P>()`.
pub fn link<P: PluginActions, C: Plugin>(caller: &Mounted<C>, tenant: &Tenant) -> P::Handle<C> {
    P::handle(Link { mounted: caller.runtime().plugin::<P>(), tenant: tenant.clone(), caller: PhantomData })
}

impl<P: Plugin, C: Plugin> Link<P, C> {
    /// Runs an action of `P` in the caller's tenant: its own context, its own time limit, its own panic barrier.
    ///
    /// # Errors
    /// What the action returns, 403 when the caller may not call it, 503 when the app goes away, 504 when it takes
    /// too long, 500 when it panics.
    ///
    /// Dropping the future cancels the action.
    pub async fn call<T, F, Fut>(&self, spec: &'static ActionSpec, action: F) -> Result<T>
    where
        F: FnOnce(Arc<Mounted<P>>, P::Context) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let mounted = self.mounted.clone().ok_or_else(|| not_running(P::NAME))?;
        // The types prove it for callers that are compiled in; the name is checked for whoever got here without them.
        permit(spec, C::NAME)?;
        let call = Call::of_plugin(spec, C::NAME, &self.tenant);
        let limit = spec.timeout.unwrap_or(mounted.runtime().request_timeout);
        let context = P::Context::new(&mounted, self.tenant.clone());
        supervise(call, Some(limit), action(mounted, context))
            .await
            .unwrap_or_else(|stopped| Err(stopped.answer()))
    }
}

/// Whether a plugin may call an action.
pub(super) fn permit(spec: &ActionSpec, caller: &str) -> Result<()> {
    match spec.callers {
        Callers::Any => Ok(()),
        Callers::Only(names) if names.contains(&caller) => Ok(()),
        Callers::Only(_) => Err(Error::forbidden(format!(
            "plugin `{caller}` may not call `{}.{}`; add it to the action's `callers`",
            spec.plugin, spec.name
        ))),
    }
}

impl<P: Plugin, C: Plugin> Clone for Link<P, C> {
    fn clone(&self) -> Self {
        Self { mounted: self.mounted.clone(), tenant: self.tenant.clone(), caller: PhantomData }
    }
}

impl<P: Plugin, C: Plugin> fmt::Debug for Link<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {} in {}", P::NAME, C::NAME, self.tenant)
    }
}
