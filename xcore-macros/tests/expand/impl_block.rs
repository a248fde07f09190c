impl Orders {
    /// Place an order.
    ///
    /// Twice is once too often.
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn place(
        &self,
        ctx: &OrdersContext,
        Json(new): Json<NewOrder>,
    ) -> Result<Json<Order>> {
        todo!()
    }
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn line(
        &self,
        ctx: &OrdersContext,
        Path((id, line)): Path<(u32, u32)>,
        headers: HeaderMap,
        body: String,
    ) -> impl IntoResponse {
        todo!()
    }
    #[cfg(feature = "audit")]
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn audit(&self, ctx: &OrdersContext) -> Self {
        todo!()
    }
    /// Count yesterday's orders.
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn report(&self, ctx: &OrdersContext) -> Result<()> {
        todo!()
    }
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn started(&self, app: &AppContext<Self>) {}
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn welcome(&self, ctx: &OrdersContext) -> Result<()> {
        todo!()
    }
    /// The plans, for everybody.
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn plans(
        &self,
        app: &AppContext<Self>,
        headers: HeaderMap,
    ) -> Result<Json<Plan>> {
        todo!()
    }
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn price(&self, ctx: &AnyContext<Self>) -> Json<u32> {
        todo!()
    }
    fn helper() -> u32 {
        7
    }
}
#[allow(unused_qualifications)]
const _: () = {
    #[allow(unused_imports)]
    use ::xcore::__private::proof::{NoHead as _, NoLast as _, NotNamed as _};
    #[allow(dead_code)]
    type ThisPlugin = <OrdersContext as ::xcore::__private::PluginContext>::Plugin;
    const ACTION_0: ::xcore::__private::ActionSpec = ::xcore::__private::ActionSpec {
        plugin: <ThisPlugin as ::xcore::Plugin>::NAME,
        name: "place",
        verb: ::xcore::__private::Verb::Post,
        path: "/",
        scope: ::xcore::__private::Scope::Tenant,
        status: ::core::option::Option::Some(201u16),
        timeout: ::core::option::Option::Some(
            ::core::time::Duration::from_millis(5000u64),
        ),
        internal: false,
        callers: ::xcore::__private::Callers::Any,
        summary: "Place an order.",
        description: "Twice is once too often.",
    };
    #[allow(clippy::too_many_arguments)]
    fn call_0<'a>(
        plugin: &'a ThisPlugin,
        context: &'a <ThisPlugin as ::xcore::Plugin>::Context,
        arg0: Json<NewOrder>,
    ) -> impl ::core::future::Future<
        Output = Result<Json<Order>>,
    > + ::core::marker::Send + 'a {
        <ThisPlugin>::place(
            plugin,
            <OrdersContext as ::xcore::__private::proof::ContextOf<
                ThisPlugin,
            >>::of(context),
            arg0,
        )
    }
    fn route_0(
        mounted: ::std::sync::Arc<::xcore::__private::Mounted<ThisPlugin>>,
    ) -> ::xcore::axum::routing::MethodRouter {
        <Json<NewOrder> as ::xcore::__private::proof::LastArgument<_>>::PROOF;
        ::xcore::__private::route(
            mounted,
            &ACTION_0,
            |context, request| async move {
                let mounted = ::xcore::__private::PluginContext::mounted(&*context);
                let arg0 = match <::xcore::__private::proof::Last<
                    Json<NewOrder>,
                    _,
                >>::extract(request, mounted.state())
                    .await
                {
                    ::core::result::Result::Ok(value) => value,
                    ::core::result::Result::Err(response) => return response,
                };
                <Result<
                    Json<Order>,
                > as ::xcore::__private::proof::Reply>::reply(
                    call_0(mounted.plugin(), &context, arg0).await,
                )
            },
        )
    }
    #[allow(dead_code, missing_debug_implementations, non_camel_case_types)]
    enum line {}
    impl ::xcore::__private::proof::MayCall<line> for Billing {}
    const _: () = <Billing as ::xcore::__private::proof::IsPlugin>::PROOF;
    impl ::xcore::__private::proof::MayCall<line> for catalog::Catalog {}
    const _: () = <catalog::Catalog as ::xcore::__private::proof::IsPlugin>::PROOF;
    const ACTION_1: ::xcore::__private::ActionSpec = ::xcore::__private::ActionSpec {
        plugin: <ThisPlugin as ::xcore::Plugin>::NAME,
        name: "line",
        verb: ::xcore::__private::Verb::Get,
        path: "/{id}/lines/{line}",
        scope: ::xcore::__private::Scope::Tenant,
        status: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        internal: false,
        callers: ::xcore::__private::Callers::Only(
            &[
                <::xcore::__private::proof::Named<Billing>>::NAME,
                <::xcore::__private::proof::Named<catalog::Catalog>>::NAME,
            ],
        ),
        summary: "",
        description: "",
    };
    #[allow(clippy::too_many_arguments)]
    fn call_1<'a>(
        plugin: &'a ThisPlugin,
        context: &'a <ThisPlugin as ::xcore::Plugin>::Context,
        arg0: Path<(u32, u32)>,
        arg1: HeaderMap,
        arg2: String,
    ) -> impl ::core::future::Future<
        Output = impl IntoResponse,
    > + ::core::marker::Send + 'a {
        <ThisPlugin>::line(
            plugin,
            <OrdersContext as ::xcore::__private::proof::ContextOf<
                ThisPlugin,
            >>::of(context),
            arg0,
            arg1,
            arg2,
        )
    }
    fn route_1(
        mounted: ::std::sync::Arc<::xcore::__private::Mounted<ThisPlugin>>,
    ) -> ::xcore::axum::routing::MethodRouter {
        <Path<(u32, u32)> as ::xcore::__private::proof::Argument>::PROOF;
        <HeaderMap as ::xcore::__private::proof::Argument>::PROOF;
        <String as ::xcore::__private::proof::LastArgument<_>>::PROOF;
        ::xcore::__private::route(
            mounted,
            &ACTION_1,
            |context, request| async move {
                let mounted = ::xcore::__private::PluginContext::mounted(&*context);
                let (mut parts, body) = request.into_parts();
                let arg0 = match <::xcore::__private::proof::Head<
                    Path<(u32, u32)>,
                >>::extract(&mut parts, mounted.state())
                    .await
                {
                    ::core::result::Result::Ok(value) => value,
                    ::core::result::Result::Err(response) => return response,
                };
                let arg1 = match <::xcore::__private::proof::Head<
                    HeaderMap,
                >>::extract(&mut parts, mounted.state())
                    .await
                {
                    ::core::result::Result::Ok(value) => value,
                    ::core::result::Result::Err(response) => return response,
                };
                let arg2 = match <::xcore::__private::proof::Last<
                    String,
                    _,
                >>::extract(
                        ::xcore::axum::extract::Request::from_parts(parts, body),
                        mounted.state(),
                    )
                    .await
                {
                    ::core::result::Result::Ok(value) => value,
                    ::core::result::Result::Err(response) => return response,
                };
                ::xcore::__private::proof::Reply::reply(
                    call_1(mounted.plugin(), &context, arg0, arg1, arg2).await,
                )
            },
        )
    }
    #[cfg(feature = "audit")]
    const ACTION_2: ::xcore::__private::ActionSpec = ::xcore::__private::ActionSpec {
        plugin: <ThisPlugin as ::xcore::Plugin>::NAME,
        name: "audit",
        verb: ::xcore::__private::Verb::Post,
        path: "/audit",
        scope: ::xcore::__private::Scope::Tenant,
        status: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        internal: true,
        callers: ::xcore::__private::Callers::Any,
        summary: "",
        description: "",
    };
    #[cfg(feature = "audit")]
    #[allow(clippy::too_many_arguments)]
    fn call_2<'a>(
        plugin: &'a ThisPlugin,
        context: &'a <ThisPlugin as ::xcore::Plugin>::Context,
    ) -> impl ::core::future::Future<Output = Orders> + ::core::marker::Send + 'a {
        <ThisPlugin>::audit(
            plugin,
            <OrdersContext as ::xcore::__private::proof::ContextOf<
                ThisPlugin,
            >>::of(context),
        )
    }
    #[cfg(feature = "audit")]
    fn route_2(
        mounted: ::std::sync::Arc<::xcore::__private::Mounted<ThisPlugin>>,
    ) -> ::xcore::axum::routing::MethodRouter {
        ::xcore::__private::route(
            mounted,
            &ACTION_2,
            |context, _| async move {
                let mounted = ::xcore::__private::PluginContext::mounted(&*context);
                <Orders as ::xcore::__private::proof::Reply>::reply(
                    call_2(mounted.plugin(), &context).await,
                )
            },
        )
    }
    const ACTION_3: ::xcore::__private::ActionSpec = ::xcore::__private::ActionSpec {
        plugin: <ThisPlugin as ::xcore::Plugin>::NAME,
        name: "plans",
        verb: ::xcore::__private::Verb::Get,
        path: "/plans",
        scope: ::xcore::__private::Scope::Central,
        status: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        internal: false,
        callers: ::xcore::__private::Callers::Any,
        summary: "The plans, for everybody.",
        description: "",
    };
    #[allow(clippy::too_many_arguments)]
    fn call_3<'a>(
        plugin: &'a ThisPlugin,
        context: &'a ::xcore::AppContext<ThisPlugin>,
        arg0: HeaderMap,
    ) -> impl ::core::future::Future<
        Output = Result<Json<Plan>>,
    > + ::core::marker::Send + 'a {
        <ThisPlugin>::plans(
            plugin,
            <AppContext<
                Orders,
            > as ::xcore::__private::proof::AppContextOf<ThisPlugin>>::of(context),
            arg0,
        )
    }
    fn route_3(
        mounted: ::std::sync::Arc<::xcore::__private::Mounted<ThisPlugin>>,
    ) -> ::xcore::axum::routing::MethodRouter {
        <HeaderMap as ::xcore::__private::proof::LastArgument<_>>::PROOF;
        ::xcore::__private::route_central(
            mounted,
            &ACTION_3,
            |context, request| async move {
                let mounted = ::xcore::__private::mounted_of_app(&context);
                let arg0 = match <::xcore::__private::proof::Last<
                    HeaderMap,
                    _,
                >>::extract(
                        request,
                        mounted.state_of(::xcore::__private::Scope::Central),
                    )
                    .await
                {
                    ::core::result::Result::Ok(value) => value,
                    ::core::result::Result::Err(response) => return response,
                };
                <Result<
                    Json<Plan>,
                > as ::xcore::__private::proof::Reply>::reply(
                    call_3(mounted.plugin(), &context, arg0).await,
                )
            },
        )
    }
    #[allow(dead_code, missing_debug_implementations, non_camel_case_types)]
    enum price {}
    impl ::xcore::__private::proof::MayCall<price> for Billing {}
    const _: () = <Billing as ::xcore::__private::proof::IsPlugin>::PROOF;
    const ACTION_4: ::xcore::__private::ActionSpec = ::xcore::__private::ActionSpec {
        plugin: <ThisPlugin as ::xcore::Plugin>::NAME,
        name: "price",
        verb: ::xcore::__private::Verb::Get,
        path: "/price",
        scope: ::xcore::__private::Scope::Any,
        status: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        internal: false,
        callers: ::xcore::__private::Callers::Only(
            &[<::xcore::__private::proof::Named<Billing>>::NAME],
        ),
        summary: "",
        description: "",
    };
    #[allow(clippy::too_many_arguments)]
    fn call_4<'a>(
        plugin: &'a ThisPlugin,
        context: &'a ::xcore::AnyContext<ThisPlugin>,
    ) -> impl ::core::future::Future<Output = Json<u32>> + ::core::marker::Send + 'a {
        <ThisPlugin>::price(
            plugin,
            <AnyContext<
                Orders,
            > as ::xcore::__private::proof::AnyContextOf<ThisPlugin>>::of(context),
        )
    }
    fn route_4(
        mounted: ::std::sync::Arc<::xcore::__private::Mounted<ThisPlugin>>,
    ) -> ::xcore::axum::routing::MethodRouter {
        ::xcore::__private::route_any(
            mounted,
            &ACTION_4,
            |context, _| async move {
                let mounted = ::xcore::__private::mounted_of_app(context.app());
                <Json<
                    u32,
                > as ::xcore::__private::proof::Reply>::reply(
                    call_4(mounted.plugin(), &context).await,
                )
            },
        )
    }
    const JOB_0: ::xcore::__private::JobSpec = ::xcore::__private::JobSpec {
        plugin: <ThisPlugin as ::xcore::Plugin>::NAME,
        name: "report",
        trigger: ::core::option::Option::Some(
            ::xcore::__private::Trigger::Cron("0 0 6 * * *"),
        ),
        timezone: ::core::option::Option::Some("Europe/Berlin"),
        per: ::xcore::__private::Per::Tenant,
        overlap: ::xcore::__private::Overlap::Queue,
        timeout: ::core::option::Option::Some(
            ::core::time::Duration::from_millis(300000u64),
        ),
        retries: ::xcore::__private::Retries::new(
            0u32,
            ::core::time::Duration::from_millis(10000u64),
        ),
        jitter: ::core::option::Option::None,
        misfire: ::xcore::__private::Misfire::Once,
        summary: "Count yesterday's orders.",
    };
    #[allow(clippy::too_many_arguments)]
    fn call_job_0<'a>(
        plugin: &'a ThisPlugin,
        context: &'a <ThisPlugin as ::xcore::Plugin>::Context,
    ) -> impl ::core::future::Future<Output = Result<()>> + ::core::marker::Send + 'a {
        <ThisPlugin>::report(
            plugin,
            <OrdersContext as ::xcore::__private::proof::ContextOf<
                ThisPlugin,
            >>::of(context),
        )
    }
    fn run_0(
        mounted: ::std::sync::Arc<::xcore::__private::Mounted<ThisPlugin>>,
        context: <ThisPlugin as ::xcore::Plugin>::Context,
        _arguments: ::xcore::__private::JobArguments,
    ) -> ::xcore::__private::BoxFuture<
        'static,
        ::core::result::Result<(), ::xcore::Error>,
    > {
        ::std::boxed::Box::pin(async move {
            <Result<
                (),
            > as ::xcore::__private::Done>::done(
                call_job_0(mounted.plugin(), &context).await,
            )
        })
    }
    #[allow(clippy::too_many_arguments)]
    fn call_hook_0<'a>(
        plugin: &'a ThisPlugin,
        context: &'a AppContext<Orders>,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send + 'a {
        <ThisPlugin>::started(plugin, context)
    }
    fn hook_0(
        mounted: ::std::sync::Arc<::xcore::__private::Mounted<ThisPlugin>>,
    ) -> ::xcore::__private::BoxFuture<
        'static,
        ::core::result::Result<(), ::xcore::Error>,
    > {
        ::std::boxed::Box::pin(async move {
            let app = ::xcore::AppContext::<ThisPlugin>::new(&mounted);
            <() as ::xcore::__private::Done>::done(
                call_hook_0(mounted.plugin(), &app).await,
            )
        })
    }
    #[allow(clippy::too_many_arguments)]
    fn call_hook_1<'a>(
        plugin: &'a ThisPlugin,
        context: &'a <ThisPlugin as ::xcore::Plugin>::Context,
    ) -> impl ::core::future::Future<Output = Result<()>> + ::core::marker::Send + 'a {
        <ThisPlugin>::welcome(
            plugin,
            <OrdersContext as ::xcore::__private::proof::ContextOf<
                ThisPlugin,
            >>::of(context),
        )
    }
    fn hook_1(
        mounted: ::std::sync::Arc<::xcore::__private::Mounted<ThisPlugin>>,
        context: <ThisPlugin as ::xcore::Plugin>::Context,
    ) -> ::xcore::__private::BoxFuture<
        'static,
        ::core::result::Result<(), ::xcore::Error>,
    > {
        ::std::boxed::Box::pin(async move {
            <Result<
                (),
            > as ::xcore::__private::Done>::done(
                call_hook_1(mounted.plugin(), &context).await,
            )
        })
    }
    ///The actions of [`Orders`] for the plugin `C`, in the tenant of the call: `ctx.call::<Orders>()`.
    #[allow(dead_code, private_interfaces, unreachable_pub)]
    pub struct OrdersHandle<C: ::xcore::Plugin, CallerTenant> {
        #[doc(hidden)]
        __link: ::xcore::__private::Link<ThisPlugin, C, CallerTenant>,
    }
    #[automatically_derived]
    impl<C: ::xcore::Plugin, CallerTenant: ::core::clone::Clone> ::core::clone::Clone
    for OrdersHandle<C, CallerTenant> {
        fn clone(&self) -> Self {
            Self {
                __link: ::core::clone::Clone::clone(&self.__link),
            }
        }
    }
    #[automatically_derived]
    impl<
        C: ::xcore::Plugin,
        CallerTenant: ::xcore::__private::OfCaller,
    > ::core::fmt::Debug for OrdersHandle<C, CallerTenant> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_tuple("OrdersHandle").field(&self.__link).finish()
        }
    }
    ///The jobs of [`Orders`], to hand to a scheduler.
    #[allow(dead_code, missing_debug_implementations, unreachable_pub)]
    pub struct OrdersJobs;
    #[allow(dead_code, private_bounds, private_interfaces, unreachable_pub)]
    impl<C: ::xcore::Plugin> OrdersHandle<C, ::xcore::Tenant> {
        /// Place an order.
        ///
        /// Twice is once too often.
        ///
        ///# Errors
        ///What the action returns; also when this plugin may not call it, when it takes too long or panics, and while the app goes away.
        #[allow(clippy::too_many_arguments)]
        pub async fn place(&self, new: Json<NewOrder>) -> ::xcore::Result<Json<Order>> {
            self.__link
                .call(
                    &ACTION_0,
                    |mounted, context| async move {
                        ::xcore::__private::outcome(
                            call_0(mounted.plugin(), &context, new).await,
                        )
                    },
                )
                .await
        }
        ///
        ///# Errors
        ///What the action returns; also when this plugin may not call it, when it takes too long or panics, and while the app goes away.
        #[allow(clippy::too_many_arguments)]
        pub fn line<'a>(
            &'a self,
            arg0: Path<(u32, u32)>,
            headers: HeaderMap,
            body: String,
        ) -> ::xcore::__private::BoxFuture<
            'a,
            ::xcore::Result<::xcore::axum::response::Response>,
        >
        where
            C: ::xcore::__private::proof::MayCall<line>,
        {
            ::std::boxed::Box::pin(async move {
                self.__link
                    .call(
                        &ACTION_1,
                        |mounted, context| async move {
                            ::core::result::Result::Ok(
                                ::xcore::__private::proof::Reply::reply(
                                    call_1(mounted.plugin(), &context, arg0, headers, body)
                                        .await,
                                ),
                            )
                        },
                    )
                    .await
            })
        }
        #[cfg(feature = "audit")]
        ///
        ///# Errors
        ///What the action returns; also when this plugin may not call it, when it takes too long or panics, and while the app goes away.
        #[allow(clippy::too_many_arguments)]
        pub async fn audit(&self) -> ::xcore::Result<Orders> {
            self.__link
                .call(
                    &ACTION_2,
                    |mounted, context| async move {
                        ::core::result::Result::Ok(
                            call_2(mounted.plugin(), &context).await,
                        )
                    },
                )
                .await
        }
    }
    #[allow(dead_code, private_bounds, private_interfaces, unreachable_pub)]
    impl<
        C: ::xcore::Plugin,
        CallerTenant: ::xcore::__private::OfCaller,
    > OrdersHandle<C, CallerTenant> {
        /// The plans, for everybody.
        ///
        ///# Errors
        ///What the action returns; also when this plugin may not call it, when it takes too long or panics, and while the app goes away.
        #[allow(clippy::too_many_arguments)]
        pub async fn plans(&self, headers: HeaderMap) -> ::xcore::Result<Json<Plan>> {
            self.__link
                .call_central(
                    &ACTION_3,
                    |mounted, context| async move {
                        ::xcore::__private::outcome(
                            call_3(mounted.plugin(), &context, headers).await,
                        )
                    },
                )
                .await
        }
        ///
        ///# Errors
        ///What the action returns; also when this plugin may not call it, when it takes too long or panics, and while the app goes away.
        #[allow(clippy::too_many_arguments)]
        pub fn price<'a>(
            &'a self,
        ) -> ::xcore::__private::BoxFuture<'a, ::xcore::Result<Json<u32>>>
        where
            C: ::xcore::__private::proof::MayCall<price>,
        {
            ::std::boxed::Box::pin(async move {
                self.__link
                    .call_any(
                        &ACTION_4,
                        |mounted, context| async move {
                            ::core::result::Result::Ok(
                                call_4(mounted.plugin(), &context).await,
                            )
                        },
                    )
                    .await
            })
        }
    }
    #[allow(dead_code, private_interfaces, unreachable_pub)]
    impl OrdersJobs {
        /// Count yesterday's orders.
        #[must_use]
        #[allow(clippy::too_many_arguments)]
        pub fn report() -> ::xcore::__private::JobCall {
            ::xcore::__private::JobCall::new(
                <ThisPlugin as ::xcore::Plugin>::NAME,
                "report",
            )
        }
    }
    #[automatically_derived]
    impl ::xcore::__private::PluginActions for Orders {
        const ACTIONS: &'static [::xcore::__private::ActionSpec] = &[
            ACTION_0,
            ACTION_1,
            #[cfg(feature = "audit")]
            ACTION_2,
            ACTION_3,
            ACTION_4,
        ];
        const JOBS: &'static [::xcore::__private::JobSpec] = &[JOB_0];
        type Handle<C: ::xcore::Plugin, CallerTenant> = OrdersHandle<C, CallerTenant>;
        type Jobs = OrdersJobs;
        fn handle<C: ::xcore::Plugin, CallerTenant>(
            link: ::xcore::__private::Link<ThisPlugin, C, CallerTenant>,
        ) -> OrdersHandle<C, CallerTenant> {
            OrdersHandle { __link: link }
        }
        fn actions() -> ::std::vec::Vec<::xcore::__private::ActionEntry<ThisPlugin>> {
            ::core::convert::From::from([
                ::xcore::__private::ActionEntry {
                    spec: &ACTION_0,
                    route: route_0,
                },
                ::xcore::__private::ActionEntry {
                    spec: &ACTION_1,
                    route: route_1,
                },
                #[cfg(feature = "audit")]
                ::xcore::__private::ActionEntry {
                    spec: &ACTION_2,
                    route: route_2,
                },
                ::xcore::__private::ActionEntry {
                    spec: &ACTION_3,
                    route: route_3,
                },
                ::xcore::__private::ActionEntry {
                    spec: &ACTION_4,
                    route: route_4,
                },
            ])
        }
        fn jobs() -> ::std::vec::Vec<::xcore::__private::JobEntry<ThisPlugin>> {
            ::core::convert::From::from([
                ::xcore::__private::JobEntry {
                    spec: &JOB_0,
                    run: ::xcore::__private::RunJob::Tenant(run_0),
                },
            ])
        }
        fn hooks() -> ::xcore::__private::Hooks<ThisPlugin> {
            #[allow(unused_mut)]
            let mut hooks = <::xcore::__private::Hooks<
                ThisPlugin,
            > as ::core::default::Default>::default();
            {
                hooks.start = ::core::option::Option::Some(hook_0);
            }
            {
                hooks.tenant_created = ::core::option::Option::Some(hook_1);
            }
            hooks
        }
    }
    const _: () = ::xcore::__private::proof::routes_are_distinct_within(
        <ThisPlugin as ::xcore::__private::PluginActions>::ACTIONS,
    );
};
