#[cfg(unix)]
#[derive(Default)]
pub(crate) struct Orders {
    limit: u32,
}
#[cfg(unix)]
///What a call to [`Orders`] gets: its tenant, and what belongs to that tenant.
#[allow(dead_code, private_interfaces, unreachable_pub)]
pub(crate) struct OrdersContext {
    ///The tenant of the call.
    pub tenant: ::framework::Tenant,
    ///The plugin's section of `xcore.yaml`.
    pub config: ::std::sync::Arc<OrdersConfig>,
    ///The database of the tenant.
    pub db: ::framework::db::TenantDb,
    ///The cache of the tenant.
    pub cache: ::framework::cache::TenantCache,
    ///The scheduler of the tenant.
    pub scheduler: ::framework::scheduler::TenantScheduler,
    ///What belongs to no tenant.
    pub central: ::framework::Central,
    #[doc(hidden)]
    __mounted: ::std::sync::Arc<::framework::__private::Mounted<Orders>>,
}
#[cfg(unix)]
#[automatically_derived]
impl ::core::clone::Clone for OrdersContext {
    fn clone(&self) -> Self {
        Self {
            tenant: ::core::clone::Clone::clone(&self.tenant),
            config: ::core::clone::Clone::clone(&self.config),
            db: ::core::clone::Clone::clone(&self.db),
            cache: ::core::clone::Clone::clone(&self.cache),
            scheduler: ::core::clone::Clone::clone(&self.scheduler),
            central: ::core::clone::Clone::clone(&self.central),
            __mounted: ::core::clone::Clone::clone(&self.__mounted),
        }
    }
}
#[cfg(unix)]
#[automatically_derived]
impl ::core::fmt::Debug for OrdersContext {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("OrdersContext")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
#[cfg(unix)]
#[automatically_derived]
impl ::framework::__private::PluginContext for OrdersContext {
    type Plugin = Orders;
    fn new(
        mounted: &::std::sync::Arc<::framework::__private::Mounted<Orders>>,
        tenant: ::framework::Tenant,
    ) -> Self {
        Self {
            config: mounted.config(),
            db: mounted.db(&tenant),
            cache: mounted.cache(&tenant),
            scheduler: mounted.scheduler(&tenant),
            central: mounted.central(),
            __mounted: ::core::clone::Clone::clone(mounted),
            tenant,
        }
    }
    fn mounted(&self) -> &::framework::__private::Mounted<Orders> {
        &self.__mounted
    }
}
#[cfg(unix)]
#[automatically_derived]
impl ::framework::__private::proof::ContextOf<Orders> for OrdersContext {
    fn of(context: &Self) -> &Self {
        context
    }
}
#[cfg(unix)]
#[automatically_derived]
impl<S> ::framework::axum::extract::FromRequestParts<S> for OrdersContext
where
    ::framework::AppState: ::framework::axum::extract::FromRef<S>,
    S: ::core::marker::Send + ::core::marker::Sync,
{
    type Rejection = ::framework::Error;
    async fn from_request_parts(
        parts: &mut ::framework::axum::http::request::Parts,
        state: &S,
    ) -> ::core::result::Result<Self, ::framework::Error> {
        ::framework::__private::context_from_parts::<Orders, S>(parts, state).await
    }
}
#[cfg(unix)]
#[allow(dead_code, unreachable_pub)]
impl OrdersContext {
    ///Another plugin, in the tenant of this call. It must stand in `requires(..)`.
    #[must_use]
    pub fn call<P: ::framework::__private::PluginActions>(
        &self,
    ) -> P::Handle<Orders, ::framework::Tenant>
    where
        Orders: ::framework::__private::proof::Requires<P>,
    {
        ::framework::__private::link::<P, Orders>(&self.__mounted, &self.tenant)
    }
    ///Puts one run of a job in line, for the tenant of this call. It is stored when the result is awaited; `within(&transaction)`
    ///before that makes it part of a transaction, so that it runs if that commits.
    pub fn enqueue(
        &self,
        job: ::framework::scheduler::JobCall,
    ) -> ::framework::scheduler::Enqueue<'_> {
        self.scheduler.enqueue(job)
    }
}
#[cfg(unix)]
///The actions of [`Orders`] for the plugin `C`, in the tenant of the call: `ctx.call::<Orders>()`.
#[allow(dead_code, unreachable_pub)]
pub(crate) type OrdersHandle<C, CallerTenant = ::framework::Tenant> = <Orders as ::framework::__private::PluginActions>::Handle<
    C,
    CallerTenant,
>;
#[cfg(unix)]
///The jobs of [`Orders`], to hand to a scheduler.
#[allow(dead_code, unreachable_pub)]
pub(crate) type OrdersJobs = <Orders as ::framework::__private::PluginActions>::Jobs;
#[cfg(unix)]
#[automatically_derived]
impl ::framework::Plugin for Orders {
    const NAME: &'static str = "sales";
    const VERSION: &'static str = "2.0.0";
    const PATH: &'static str = "/shop/orders";
    const SERVICES: &'static [::framework::__private::ServiceName] = &[
        ::framework::__private::ServiceName::Db,
        ::framework::__private::ServiceName::Cache,
        ::framework::__private::ServiceName::Scheduler,
        ::framework::__private::ServiceName::Central,
    ];
    const REQUIRES: &'static [::framework::__private::Requirement] = {
        #[allow(unused_imports)]
        use ::framework::__private::proof::NotNamed as _;
        &[
            ::framework::__private::Requirement {
                name: <::framework::__private::proof::Named<Billing>>::NAME,
                version: <::framework::__private::proof::Named<Billing>>::VERSION,
                wanted: ::core::option::Option::None,
            },
            ::framework::__private::Requirement {
                name: <::framework::__private::proof::Named<catalog::Catalog>>::NAME,
                version: <::framework::__private::proof::Named<
                    catalog::Catalog,
                >>::VERSION,
                wanted: ::core::option::Option::Some("^1.2"),
            },
        ]
    };
    type Context = OrdersContext;
    type Config = OrdersConfig;
    type Services = (
        ::framework::__private::services::Db,
        ::framework::__private::services::Cache,
        ::framework::__private::services::Scheduler,
        ::framework::__private::services::Central,
    );
    fn create() -> Self {
        <Orders as ::framework::__private::proof::Create>::create()
    }
    fn migrations() -> ::core::option::Option<::framework::db::Migrations> {
        ::core::option::Option::Some(
            ::framework::db::Migrations::of::<Migrator>("sales"),
        )
    }
    fn shared_migrations() -> ::core::option::Option<::framework::db::Migrations> {
        ::core::option::Option::Some(::framework::db::Migrations::of::<Shared>("sales"))
    }
}
#[cfg(unix)]
#[automatically_derived]
impl ::framework::__private::proof::DeclaresCentral for Orders {}
#[cfg(unix)]
#[automatically_derived]
impl ::framework::__private::proof::Requires<Billing> for Orders {}
#[cfg(unix)]
const _: () = <Billing as ::framework::__private::proof::IsPlugin>::PROOF;
#[cfg(unix)]
#[automatically_derived]
impl ::framework::__private::proof::Requires<catalog::Catalog> for Orders {}
#[cfg(unix)]
const _: () = <catalog::Catalog as ::framework::__private::proof::IsPlugin>::PROOF;
