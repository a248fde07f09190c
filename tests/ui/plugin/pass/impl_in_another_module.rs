//! The impl block may live in another module than the struct.

/// Takes orders.
#[xcore::plugin(services(cache))]
#[derive(Debug, Default)]
pub struct Orders {
    prefix: String,
}

mod actions {
    use xcore::prelude::*;

    use super::OrdersContext;

    #[xcore::plugin]
    impl super::Orders {
        /// One value.
        #[action(get = "/{key}", callers = [])]
        async fn get(&self, ctx: &OrdersContext, Path(key): Path<String>) -> Result<Json<Option<String>>> {
            Ok(Json(ctx.cache.get(&format!("{}{key}", self.prefix)).await?))
        }

        /// Forget everything.
        #[job]
        async fn clear(&self, ctx: &OrdersContext) -> Result<()> {
            ctx.cache.clear("*").await?;
            Ok(())
        }
    }
}

xcore::app! { Orders }

fn main() -> std::process::ExitCode {
    let _ = OrdersJobs::clear();
    App::run()
}
