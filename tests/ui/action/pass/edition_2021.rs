//@ in: older
//! Code of the edition before.

use xcore::prelude::*;

/// Takes orders.
#[derive(Debug)]
#[xcore::plugin(services(cache))]
pub struct Orders;

#[xcore::plugin]
impl Orders {
    /// A response without a name, which borrows nothing.
    #[action(get = "/{id}")]
    async fn get(&self, _ctx: &OrdersContext, Path(id): Path<u32>) -> impl IntoResponse {
        id.to_string()
    }

    /// A result.
    #[action(callers = [Billing])]
    async fn place(&self, ctx: &OrdersContext, headers: xcore::axum::http::HeaderMap, Json(line): Json<String>) -> Result<Json<String>> {
        let _ = headers;
        ctx.cache.set("last", &line).await?;
        Ok(Json(line))
    }

    /// By itself.
    #[job(every = "1h")]
    async fn tidy(&self, _ctx: &OrdersContext) -> Result<()> {
        Ok(())
    }

    #[on(start)]
    async fn started(&self, _app: &AppContext<Self>) {}
}

/// Writes invoices.
#[derive(Debug)]
#[xcore::plugin(requires(Orders))]
pub struct Billing;

#[xcore::plugin]
impl Billing {
    /// Orders and pays.
    #[action]
    async fn buy(&self, ctx: &BillingContext, line: Json<String>) -> Result<Json<String>> {
        ctx.call::<Orders>().place(xcore::axum::http::HeaderMap::new(), line).await
    }
}

xcore::app! { Orders, Billing }

fn main() -> std::process::ExitCode {
    App::run()
}
