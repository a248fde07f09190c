//! A context moves into a task with its tenant, and is an extractor for routes of one's own.

use xcore::axum::Router;
use xcore::axum::routing::get;
use xcore::prelude::*;

/// Takes orders.
#[xcore::plugin(services(db, cache))]
#[derive(Debug)]
pub struct Orders;

#[xcore::plugin]
impl Orders {
    /// Do it later.
    #[action]
    async fn later(&self, ctx: &OrdersContext) -> StatusCode {
        spawn(remember(ctx.clone()));
        StatusCode::ACCEPTED
    }
}

fn spawn(_task: impl Future<Output = Result<()>> + Send + 'static) {}

async fn remember(ctx: OrdersContext) -> Result<()> {
    ctx.cache.set("later", &1).await?;
    Ok(())
}

async fn own(ctx: OrdersContext) -> String {
    format!("{ctx:?}")
}

xcore::app! { Orders }

fn main() -> std::process::ExitCode {
    let routes: Router<xcore::AppState> = Router::new().route("/own", get(own));
    App::builder().routes(routes).run()
}
