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
    pub fn builder() -> ::framework::AppBuilder {
        ::framework::AppBuilder::new::<Self>()
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
    use ::framework::__private::proof::{NoClaim as _, NotOffered as _};
    #[allow(missing_debug_implementations)]
    mod schema {
        #[allow(unused_imports)]
        use ::core::option::Option::{None, Some};
        #[allow(unused_imports)]
        use ::framework::__private as __xcore;
        ::core::include!("/out/xcore_schema.rs");
    }
    const _: &[u8] = ::core::include_bytes!("/out/xcore_schema.json");
    const _: ::core::option::Option<&str> = ::core::option_env!("XCORE_SCHEMA");
    const CLAIMS: &[::framework::__private::proof::Claims] = &[
        <::framework::__private::proof::Claim<orders::Orders>>::CLAIMS,
        <::framework::__private::proof::Claim<billing::Billing>>::CLAIMS,
    ];
    const _: () = <orders::Orders as ::framework::__private::proof::Mountable>::PROOF;
    const _: () = <billing::Billing as ::framework::__private::proof::Mountable>::PROOF;
    const APP: ::framework::__private::proof::App = ::framework::__private::proof::App::new::<
        schema::Schema,
    >(
        [
            <::framework::__private::proof::Offer<
                schema::Schema,
                ::framework::__private::services::Db,
            >>::MADE,
            <::framework::__private::proof::Offer<
                schema::Schema,
                ::framework::__private::services::Cache,
            >>::MADE,
            <::framework::__private::proof::Offer<
                schema::Schema,
                ::framework::__private::services::Scheduler,
            >>::MADE,
        ],
        CLAIMS,
    );
    const _: () = ::framework::__private::proof::is_listed(&APP, 0usize);
    const _: () = ::framework::__private::proof::services_are_provided(&APP, 0usize);
    const _: () = ::framework::__private::proof::requirements_hold(&APP, 0usize);
    const _: () = ::framework::__private::proof::config_fits(&APP, 0usize);
    const _: () = ::framework::__private::proof::routes_are_distinct(&APP, 0usize);
    const _: () = ::framework::__private::proof::is_listed(&APP, 1usize);
    const _: () = ::framework::__private::proof::services_are_provided(&APP, 1usize);
    const _: () = ::framework::__private::proof::requirements_hold(&APP, 1usize);
    const _: () = ::framework::__private::proof::config_fits(&APP, 1usize);
    const _: () = ::framework::__private::proof::routes_are_distinct(&APP, 1usize);
    const _: () = ::framework::__private::proof::all_mounted(&APP);
    const _: () = ::framework::__private::proof::database_is_built(&APP);
    const _: () = ::framework::__private::proof::cache_is_built(&APP);
    const _: () = ::framework::__private::proof::tokens_are_built(&APP);
    #[automatically_derived]
    impl ::framework::__private::AppDef for App {
        type Schema = schema::Schema;
        fn plugins() -> ::std::vec::Vec<
            ::std::boxed::Box<dyn ::framework::__private::AnyPlugin>,
        > {
            ::framework::__private::proof::plugins(CLAIMS)
        }
    }
};
