impl Orders {
    #[allow(clippy::unused_async, clippy::unused_self)]
    fn list(&self, Json(new): Json<NewOrder>) -> Result<Json<Order>> {
        todo!()
    }
}
#[allow(unused_qualifications)]
const _: () = {
    #[allow(unused_imports)]
    use ::xcore::__private::proof::{NoHead as _, NoLast as _, NotNamed as _};
    #[allow(dead_code)]
    type ThisPlugin = <OrdersContext as ::xcore::__private::PluginContext>::Plugin;
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
    impl<
        C: ::xcore::Plugin,
        CallerTenant: ::xcore::__private::OfCaller,
    > OrdersHandle<C, CallerTenant> {
        ///
        ///# Errors
        ///What the action returns; also when this plugin may not call it, when it takes too long or panics, and while the app goes away.
        #[allow(clippy::too_many_arguments)]
        pub async fn list(&self) -> ::xcore::Result<Json<Order>> {
            ::core::unreachable!("the compiler has refused this action")
        }
    }
    #[automatically_derived]
    impl ::xcore::__private::PluginActions for Orders {
        const ACTIONS: &'static [::xcore::__private::ActionSpec] = &[];
        const JOBS: &'static [::xcore::__private::JobSpec] = &[];
        type Handle<C: ::xcore::Plugin, CallerTenant> = OrdersHandle<C, CallerTenant>;
        type Jobs = OrdersJobs;
        fn handle<C: ::xcore::Plugin, CallerTenant>(
            link: ::xcore::__private::Link<ThisPlugin, C, CallerTenant>,
        ) -> OrdersHandle<C, CallerTenant> {
            OrdersHandle { __link: link }
        }
        fn actions() -> ::std::vec::Vec<::xcore::__private::ActionEntry<ThisPlugin>> {
            ::core::convert::From::from([])
        }
        fn jobs() -> ::std::vec::Vec<::xcore::__private::JobEntry<ThisPlugin>> {
            ::core::convert::From::from([])
        }
        fn hooks() -> ::xcore::__private::Hooks<ThisPlugin> {
            #[allow(unused_mut)]
            let mut hooks = <::xcore::__private::Hooks<
                ThisPlugin,
            > as ::core::default::Default>::default();
            hooks
        }
    }
};
::core::compile_error! {
    "`#[action]` has no option `stauts`\nhelp: did you mean `status`?"
}
::core::compile_error! {
    "path `list` does not start with `/`\nhelp: write `\"/list\"`"
}
::core::compile_error! {
    "action `list` must be async\nhelp: write `async fn list`"
}
::core::compile_error! {
    "action `list` must take its context after `&self`\nhelp: write `async fn list(&self, ctx: &AnyContext<Self>, ..)`"
}
