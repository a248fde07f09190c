//! A package without a build script and without `xcore.yaml`: nothing is known, so nothing is refused.

mod orders {
    use xcore::prelude::*;

    /// Takes orders.
    #[xcore::plugin(services(db, cache, scheduler, central))]
    pub(crate) struct Orders;

    #[xcore::plugin]
    impl Orders {
        /// All orders.
        #[action(get = "/")]
        async fn list(&self, ctx: &OrdersContext) -> Result<Json<Vec<String>>> {
            let last: Option<String> = ctx.cache.get("last").await?;
            Ok(Json(last.into_iter().collect()))
        }
    }
}

xcore::app! { orders::Orders }

fn main() -> std::process::ExitCode {
    App::run()
}
