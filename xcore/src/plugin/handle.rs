//! Calls from one plugin to another, through the supervisor.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::context::not_running;
use super::supervisor::{Call, supervise};
use super::{ActionSpec, AnyContext, AppContext, Callers, Mounted, Plugin, PluginActions, PluginContext};
use crate::error::{Error, Result};
use crate::tenancy::Tenant;

/// What a typed handle holds: the plugin `P` in the tenant of the caller `C`, which may have [none](NoTenant).
pub struct Link<P: Plugin, C: Plugin, CallerTenant = Tenant> {
    mounted: Option<Arc<Mounted<P>>>,
    tenant: CallerTenant,
    caller: PhantomData<fn(C)>,
}

/// Makes the handle of `ctx.call::<P>()`.
pub fn link<P: PluginActions, C: Plugin>(caller: &Mounted<C>, tenant: &Tenant) -> P::Handle<C, Tenant> {
    P::handle(Link { mounted: caller.runtime().plugin::<P>(), tenant: tenant.clone(), caller: PhantomData })
}

/// Makes the handle of `app.call::<P>()`, for a caller that belongs to no tenant.
pub(super) fn link_central<P: PluginActions, C: Plugin>(caller: &Mounted<C>) -> P::Handle<C, NoTenant> {
    P::handle(Link { mounted: caller.runtime().plugin::<P>(), tenant: NoTenant, caller: PhantomData })
}

/// Stands for the tenant of a caller that has none.
#[derive(Debug, Clone, Copy)]
pub struct NoTenant;

/// The tenant of a caller: a [`Tenant`], or [`NoTenant`].
pub trait OfCaller: Clone + Send + Sync + 'static {
    /// The tenant, when there is one.
    fn tenant(&self) -> Option<&Tenant>;
}

impl OfCaller for Tenant {
    fn tenant(&self) -> Option<&Tenant> {
        Some(self)
    }
}

impl OfCaller for NoTenant {
    fn tenant(&self) -> Option<&Tenant> {
        None
    }
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
        let (mounted, call, limit) = self.begin(spec, Some(&self.tenant))?;
        let context = P::Context::new(&mounted, self.tenant.clone());
        supervise(call, Some(limit), action(mounted, context))
            .await
            .unwrap_or_else(|stopped| Err(stopped.answer()))
    }
}

impl<P: Plugin, C: Plugin, CallerTenant: OfCaller> Link<P, C, CallerTenant> {
    /// Runs an action of `P` that belongs to no tenant. The tenant of the caller is not handed on.
    ///
    /// # Errors
    /// As [`Link::call`].
    pub async fn call_central<T, F, Fut>(&self, spec: &'static ActionSpec, action: F) -> Result<T>
    where
        F: FnOnce(Arc<Mounted<P>>, AppContext<P>) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let (mounted, call, limit) = self.begin(spec, None)?;
        let context = AppContext::new(&mounted);
        supervise(call, Some(limit), action(mounted, context))
            .await
            .unwrap_or_else(|stopped| Err(stopped.answer()))
    }

    /// Runs an action of `P` that need not belong to a tenant, in the caller's tenant when it has one.
    ///
    /// # Errors
    /// As [`Link::call`].
    pub async fn call_any<T, F, Fut>(&self, spec: &'static ActionSpec, action: F) -> Result<T>
    where
        F: FnOnce(Arc<Mounted<P>>, AnyContext<P>) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let tenant = self.tenant.tenant();
        let (mounted, call, limit) = self.begin(spec, tenant)?;
        let of_tenant = tenant.map(|tenant| Arc::new(P::Context::new(&mounted, tenant.clone())));
        let context = AnyContext::new(&mounted, of_tenant);
        supervise(call, Some(limit), action(mounted, context))
            .await
            .unwrap_or_else(|stopped| Err(stopped.answer()))
    }
}

impl<P: Plugin, C: Plugin, CallerTenant> Link<P, C, CallerTenant> {
    fn begin(&self, spec: &ActionSpec, tenant: Option<&Tenant>) -> Result<(Arc<Mounted<P>>, Call, Duration)> {
        let mounted = self.mounted.clone().ok_or_else(|| not_running(P::NAME))?;
        // The types prove it for callers that are compiled in; the name is checked for whoever got here without them.
        permit(spec, C::NAME)?;
        let limit = spec.timeout.unwrap_or(mounted.runtime().request_timeout);
        Ok((mounted, Call::of_plugin(spec, C::NAME, tenant), limit))
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

impl<P: Plugin, C: Plugin, CallerTenant: Clone> Clone for Link<P, C, CallerTenant> {
    fn clone(&self) -> Self {
        Self { mounted: self.mounted.clone(), tenant: self.tenant.clone(), caller: PhantomData }
    }
}

impl<P: Plugin, C: Plugin, CallerTenant: OfCaller> fmt::Debug for Link<P, C, CallerTenant> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tenant.tenant() {
            Some(tenant) => write!(f, "{} for {} in {tenant}", P::NAME, C::NAME),
            None => write!(f, "{} for {} in no tenant", P::NAME, C::NAME),
        }
    }
}
