//! The contexts of calls that belong to no tenant, or need not.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::handle::link_central;
use super::proof::{DeclaresCentral, Requires};
use super::{Central, Mounted, NoTenant, Plugin, PluginActions};

/// The app, without a tenant: what the hooks of start and stop get, and actions with `scope = "central"`.
///
/// There is no way from here to the data of a tenant. What belongs to no tenant is in [`central`](Self::central). It is cheap to
/// clone and may move into a spawned task.
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

    /// What belongs to no tenant, for a plugin that declares `services(central)`.
    #[must_use]
    pub fn central(&self) -> Central
    where
        P: DeclaresCentral,
    {
        self.mounted.central()
    }

    /// Another plugin, without a tenant: of its actions those with `scope = "central"` or `"any"` can be called. It must stand in
    /// `requires(..)`.
    #[must_use]
    pub fn call<Q: PluginActions>(&self) -> Q::Handle<P, NoTenant>
    where
        P: Requires<Q>,
    {
        link_central::<Q, P>(&self.mounted)
    }
}

/// What has a tenant whose job could run later: no context of the app.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a job runs for a tenant, and this call may belong to none",
    label = "there is no tenant here to put it in line for",
    note = "take the context of a tenant: an action with `scope = \"tenant\"`, or `ctx.tenant()` of one with `scope = \"any\"`"
)]
pub trait HasTenant<J> {
    #[doc(hidden)]
    const NEVER: std::convert::Infallible;
}

/// Found and refused.
///
/// ui: action/fail/central_has_no_tenant_to_enqueue_for
impl<P: Plugin> AppContext<P> {
    #[doc(hidden)]
    pub fn enqueue<J>(&self, _job: J) -> crate::scheduler::Enqueue<'_>
    where
        Self: HasTenant<J>,
    {
        match Self::NEVER {}
    }
}

impl<P: Plugin> Clone for AppContext<P> {
    fn clone(&self) -> Self {
        Self::new(&self.mounted)
    }
}

impl<P: Plugin> fmt::Debug for AppContext<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppContext").field("plugin", &P::NAME).finish_non_exhaustive()
    }
}

/// The plugin of a call that has no tenant. For generated code: no method, because from here everything is in reach.
pub fn mounted_of_app<P: Plugin>(app: &AppContext<P>) -> &Mounted<P> {
    &app.mounted
}

/// Fields that a context of a tenant has, found and out of reach: the compiler tells the name of their struct, which says why.
///
/// ui: action/fail/central_has_no_database_of_a_tenant, action/fail/any_has_a_database_only_with_a_tenant
mod absent {
    /// Behind an [`AppContext`](super::AppContext).
    #[expect(dead_code, reason = "the fields are there to be refused")]
    #[derive(Debug)]
    pub struct ThisCallBelongsToNoTenant {
        tenant: (),
        db: (),
        cache: (),
        scheduler: (),
    }

    /// Behind an [`AnyContext`](super::AnyContext).
    #[expect(dead_code, reason = "the fields are there to be refused")]
    #[derive(Debug)]
    pub struct ThisCallMayHaveNoTenantSoAskItsMethodTenant {
        tenant: (),
        db: (),
        cache: (),
        scheduler: (),
    }

    pub(super) const NO_TENANT: &ThisCallBelongsToNoTenant =
        &ThisCallBelongsToNoTenant { tenant: (), db: (), cache: (), scheduler: () };
    pub(super) const ANY: &ThisCallMayHaveNoTenantSoAskItsMethodTenant =
        &ThisCallMayHaveNoTenantSoAskItsMethodTenant { tenant: (), db: (), cache: (), scheduler: () };
}

#[doc(hidden)]
impl<P: Plugin> Deref for AppContext<P> {
    type Target = absent::ThisCallBelongsToNoTenant;

    fn deref(&self) -> &Self::Target {
        absent::NO_TENANT
    }
}

#[doc(hidden)]
impl<P: Plugin> Deref for AnyContext<P> {
    type Target = absent::ThisCallMayHaveNoTenantSoAskItsMethodTenant;

    fn deref(&self) -> &Self::Target {
        absent::ANY
    }
}

/// What actions with `scope = "any"` get: the context of a tenant when the call belongs to one, and the app in any case.
///
/// What belongs to a tenant can be reached through the context of a tenant only, so nobody can forget that there may be none.
/// It is cheap to clone and may move into a spawned task.
pub struct AnyContext<P: Plugin> {
    app: AppContext<P>,
    tenant: Option<Arc<P::Context>>,
}

impl<P: Plugin> AnyContext<P> {
    #[doc(hidden)]
    pub fn new(mounted: &Arc<Mounted<P>>, tenant: Option<Arc<P::Context>>) -> Self {
        Self { app: AppContext::new(mounted), tenant }
    }

    /// The context of the tenant to which the call belongs. `None` when it belongs to none: the default tenant does not stand in
    /// where none is needed.
    #[must_use]
    pub fn tenant(&self) -> Option<&P::Context> {
        self.tenant.as_deref()
    }

    /// The app, without a tenant.
    #[must_use]
    pub fn app(&self) -> &AppContext<P> {
        &self.app
    }
}

impl<P: Plugin> Clone for AnyContext<P> {
    fn clone(&self) -> Self {
        Self { app: self.app.clone(), tenant: self.tenant.clone() }
    }
}

impl<P: Plugin> fmt::Debug for AnyContext<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyContext")
            .field("plugin", &P::NAME)
            .field("has_tenant", &self.tenant.is_some())
            .finish_non_exhaustive()
    }
}
