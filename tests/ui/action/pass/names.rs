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
    pub fn plain<T: Into<String>>(&self, value: T) -> String
    where
        T: Clone,
    {
        value.into()
    }
}

/// A context under another name.
pub mod alias {
    use xcore::prelude::*;

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

xcore::app! { Odd, alias::Orders, }

fn main() -> std::process::ExitCode {
    App::run()
}
