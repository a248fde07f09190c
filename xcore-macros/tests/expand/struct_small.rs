/// Takes orders.
pub struct Orders;
///What a call to [`Orders`] gets: its tenant, and what belongs to that tenant.
#[allow(dead_code, private_interfaces, unreachable_pub)]
pub struct OrdersContext {
    ///The tenant of the call.
    pub tenant: ::xcore::Tenant,
    #[doc(hidden)]
    pub cache: ::xcore::__private::UndeclaredCache<Orders>,
    #[doc(hidden)]
    pub scheduler: ::xcore::__private::UndeclaredScheduler<Orders>,
    #[doc(hidden)]
    __mounted: ::std::sync::Arc<::xcore::__private::Mounted<Orders>>,
}
#[automatically_derived]
impl ::core::clone::Clone for OrdersContext {
    fn clone(&self) -> Self {
        Self {
            tenant: ::core::clone::Clone::clone(&self.tenant),
            cache: ::xcore::__private::UndeclaredCache::<Orders>::HERE,
            scheduler: ::xcore::__private::UndeclaredScheduler::<Orders>::HERE,
            __mounted: ::core::clone::Clone::clone(&self.__mounted),
        }
    }
}
#[automatically_derived]
impl ::core::fmt::Debug for OrdersContext {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("OrdersContext")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
#[automatically_derived]
impl ::xcore::__private::PluginContext for OrdersContext {
    type Plugin = Orders;
    fn new(
        mounted: &::std::sync::Arc<::xcore::__private::Mounted<Orders>>,
        tenant: ::xcore::Tenant,
    ) -> Self {
        Self {
            cache: ::xcore::__private::UndeclaredCache::<Orders>::HERE,
            scheduler: ::xcore::__private::UndeclaredScheduler::<Orders>::HERE,
            __mounted: ::core::clone::Clone::clone(mounted),
            tenant,
        }
    }
    fn mounted(&self) -> &::xcore::__private::Mounted<Orders> {
        &self.__mounted
    }
}
#[automatically_derived]
impl ::xcore::__private::proof::ContextOf<Orders> for OrdersContext {
    fn of(context: &Self) -> &Self {
        context
    }
}
#[automatically_derived]
impl<S> ::xcore::axum::extract::FromRequestParts<S> for OrdersContext
where
    ::xcore::AppState: ::xcore::axum::extract::FromRef<S>,
    S: ::core::marker::Send + ::core::marker::Sync,
{
    type Rejection = ::xcore::Error;
    async fn from_request_parts(
        parts: &mut ::xcore::axum::http::request::Parts,
        state: &S,
    ) -> ::core::result::Result<Self, ::xcore::Error> {
        ::xcore::__private::context_from_parts::<Orders, S>(parts, state).await
    }
}
#[allow(dead_code, unreachable_pub)]
impl OrdersContext {
    ///Another plugin, in the tenant of this call. It must stand in `requires(..)`.
    #[must_use]
    pub fn call<P: ::xcore::__private::PluginActions>(
        &self,
    ) -> P::Handle<Orders, ::xcore::Tenant>
    where
        Orders: ::xcore::__private::proof::Requires<P>,
    {
        ::xcore::__private::link::<P, Orders>(&self.__mounted, &self.tenant)
    }
    #[doc(hidden)]
    pub fn enqueue<J>(&self, _job: J) -> ::xcore::scheduler::Enqueue<'_>
    where
        ::xcore::__private::UndeclaredScheduler<
            Orders,
        >: ::xcore::__private::DeclaresSchedulerFor<Orders, J>,
    {
        match <::xcore::__private::UndeclaredScheduler<
            Orders,
        > as ::xcore::__private::DeclaresSchedulerFor<Orders, J>>::NEVER {}
    }
}
const _: () = {
    mod undeclared {
        #[allow(dead_code, missing_debug_implementations, missing_docs, unreachable_pub)]
        pub struct NotAmongTheServicesOfOrders {
            db: (),
            central: (),
        }
        impl NotAmongTheServicesOfOrders {
            pub const HERE: &'static Self = &Self { db: (), central: () };
        }
    }
    #[doc(hidden)]
    #[automatically_derived]
    impl ::core::ops::Deref for OrdersContext {
        type Target = undeclared::NotAmongTheServicesOfOrders;
        fn deref(&self) -> &Self::Target {
            undeclared::NotAmongTheServicesOfOrders::HERE
        }
    }
};
///The actions of [`Orders`] for the plugin `C`, in the tenant of the call: `ctx.call::<Orders>()`.
#[allow(dead_code, unreachable_pub)]
pub type OrdersHandle<C, CallerTenant = ::xcore::Tenant> = <Orders as ::xcore::__private::PluginActions>::Handle<
    C,
    CallerTenant,
>;
///The jobs of [`Orders`], to hand to a scheduler.
#[allow(dead_code, unreachable_pub)]
pub type OrdersJobs = <Orders as ::xcore::__private::PluginActions>::Jobs;
#[automatically_derived]
impl ::xcore::Plugin for Orders {
    const NAME: &'static str = "orders";
    const VERSION: &'static str = "1.2.0";
    const PATH: &'static str = "/orders";
    const SERVICES: &'static [::xcore::__private::ServiceName] = &[];
    const REQUIRES: &'static [::xcore::__private::Requirement] = {
        #[allow(unused_imports)]
        use ::xcore::__private::proof::NotNamed as _;
        &[]
    };
    type Context = OrdersContext;
    type Config = ::xcore::__private::NoConfig;
    type Services = ();
    fn create() -> Self {
        Orders
    }
    fn migrations() -> ::core::option::Option<::xcore::db::Migrations> {
        ::core::option::Option::None
    }
    fn shared_migrations() -> ::core::option::Option<::xcore::db::Migrations> {
        ::core::option::Option::None
    }
}
