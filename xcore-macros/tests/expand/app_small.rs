///This app: the plugins that `app!` names, configured by `xcore.yaml`.
#[allow(unreachable_pub)]
#[non_exhaustive]
pub struct App;
#[allow(dead_code, unreachable_pub)]
impl App {
    ///Runs the command line of the app; `serve` when no command is given.
    #[must_use]
    pub fn run() -> ::std::process::ExitCode {
        Self::builder().run()
    }
    ///The app, to be changed before it runs: in a test, or with routes of your own.
    #[must_use]
    pub fn builder() -> ::xcore::AppBuilder {
        ::xcore::AppBuilder::new::<Self>()
    }
}
#[automatically_derived]
impl ::core::fmt::Debug for App {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str("App")
    }
}
#[allow(unused_qualifications)]
const _: () = {
    #[allow(unused_imports)]
    use ::xcore::__private::proof::{NoClaim as _, NotOffered as _};
    const CLAIMS: &[::xcore::__private::proof::Claims] = &[
        <::xcore::__private::proof::Claim<orders::Orders>>::CLAIMS,
    ];
    const _: () = <orders::Orders as ::xcore::__private::proof::Mountable>::PROOF;
    const APP: ::xcore::__private::proof::App = ::xcore::__private::proof::App::new::<
        ::xcore::__private::schema::NoSchema,
    >(
        [
            <::xcore::__private::proof::Offer<
                ::xcore::__private::schema::NoSchema,
                ::xcore::__private::services::Db,
            >>::MADE,
            <::xcore::__private::proof::Offer<
                ::xcore::__private::schema::NoSchema,
                ::xcore::__private::services::Cache,
            >>::MADE,
            <::xcore::__private::proof::Offer<
                ::xcore::__private::schema::NoSchema,
                ::xcore::__private::services::Scheduler,
            >>::MADE,
        ],
        CLAIMS,
    );
    const _: () = ::xcore::__private::proof::is_listed(&APP, 0usize);
    const _: () = ::xcore::__private::proof::services_are_provided(&APP, 0usize);
    const _: () = ::xcore::__private::proof::requirements_hold(&APP, 0usize);
    const _: () = ::xcore::__private::proof::config_fits(&APP, 0usize);
    const _: () = ::xcore::__private::proof::routes_are_distinct(&APP, 0usize);
    const _: () = ::xcore::__private::proof::all_mounted(&APP);
    const _: () = ::xcore::__private::proof::database_is_built(&APP);
    const _: () = ::xcore::__private::proof::cache_is_built(&APP);
    const _: () = ::xcore::__private::proof::tokens_are_built(&APP);
    #[automatically_derived]
    impl ::xcore::__private::AppDef for App {
        type Schema = ::xcore::__private::schema::NoSchema;
        fn plugins() -> ::std::vec::Vec<
            ::std::boxed::Box<dyn ::xcore::__private::AnyPlugin>,
        > {
            ::xcore::__private::proof::plugins(CLAIMS)
        }
    }
};
