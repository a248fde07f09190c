//! Names that could meet those of generated code, raw names, and arguments without a name.

use xcore::prelude::*;

/// Has odd names.
#[xcore::plugin]
#[derive(Debug)]
pub struct Odd;

#[xcore::plugin]
impl Odd {
    /// Arguments that are called like locals of the glue.
    #[action(put = "/{mounted}/{context}")]
    async fn locals(
        &self,
        ctx: &OddContext,
        Path((mounted, context)): Path<(u32, u32)>,
        Query(request): Query<Vec<(String, String)>>,
        Json(parts): Json<u32>,
    ) -> Json<u32> {
        let _ = (ctx, request);
        Json(mounted + context + parts)
    }

    /// Called like the glue itself.
    #[action]
    async fn call_0(&self, _ctx: &OddContext, body: String) -> String {
        body
    }

    /// A keyword.
    #[action]
    async fn r#type(&self, _ctx: &OddContext, Json(r#match): Json<String>) -> String {
        r#match
    }

    /// No name.
    #[action]
    async fn nameless(&self, _: &OddContext, _: String) {}

    /// Its own type.
    #[action]
    async fn own(&self, ctx: &<Self as xcore::Plugin>::Context) -> String {
        Self::helper(&ctx.tenant)
    }

    fn helper(tenant: &Tenant) -> String {
        tenant.to_string() + Self::SUFFIX
    }

    const SUFFIX: &'static str = "!";

    /// A plain method beside the actions.
    pub fn plain<T>(&self, value: T) -> String
    where
        T: Into<String> + Clone,
    {
        value.into()
    }
}

/// A context under another name.
pub mod alias {
    use OrdersContext as Ctx;

    /// Takes orders.
    #[xcore::plugin(name = "orders_v2", version = "2.0.0", path = "/v2/orders")]
    pub(crate) struct Orders;

    #[xcore::plugin]
    impl Orders {
        /// All orders.
        #[action(get)]
        async fn list(&self, ctx: &Ctx) -> String {
            ctx.tenant.to_string()
        }
    }
}

/// Where every name that generated code could want means something else.
pub mod shadows {
    #[allow(clippy::wildcard_imports)]
    use traps::*;

    mod traps {
        #![allow(dead_code)]
        pub(super) struct Option;
        pub(super) struct Result;
        pub(super) struct Vec;
        pub(super) struct Box;
        pub(super) struct Arc;
        pub(super) struct Plugin;
        pub(super) struct Request;
        pub(super) trait Default {}
        pub(super) trait Clone {}
        pub(super) trait Debug {}
        pub(super) trait Send {}
        pub(super) trait Sync {}
        pub(super) trait Future {}
        pub(super) trait From {}
        pub(super) mod xcore {}
        pub(super) mod std {}
        pub(super) mod core {}
    }

    /// Has bad neighbours.
    #[::xcore::plugin(services(db, cache, scheduler, central))]
    #[derive(::std::fmt::Debug)]
    pub struct Brave;

    #[::xcore::plugin]
    impl Brave {
        /// With arguments.
        #[action(put = "/{a}")]
        async fn put(
            &self,
            _ctx: &BraveContext,
            ::xcore::axum::extract::Path(a): ::xcore::axum::extract::Path<u32>,
            _body: ::std::string::String,
        ) -> ::xcore::Result<::std::string::String> {
            Ok(a.to_string())
        }

        /// By itself.
        #[job(every = "1h", timeout = "5m")]
        async fn tidy(&self, _ctx: &BraveContext) {}

        #[on(stop)]
        async fn stopped(&self) {}
    }

    /// So that the import is used.
    #[allow(dead_code)]
    trait Traps: Default {}
}

xcore::app! { Odd, alias::Orders, shadows::Brave, }

fn main() -> std::process::ExitCode {
    App::run()
}
