//@ in: renamed
//! The framework under another name: nothing generated may say `xcore`.

mod orders {
    use framework::prelude::*;

    /// The section of `xcore.yaml`.
    #[derive(Deserialize, framework::PluginConfig)]
    #[config(crate = ::framework)]
    pub(crate) struct OrdersConfig {
        max_lines: u32,
    }

    /// Writes invoices.
    #[framework::plugin(crate = ::framework)]
    pub(crate) struct Billing;

    #[framework::plugin(crate = ::framework)]
    impl Billing {
        /// Charge a customer.
        #[action(callers = [Orders])]
        async fn charge(&self, _ctx: &BillingContext) {}
    }

    /// Takes orders.
    #[framework::plugin(services(db, cache, scheduler, central), config = OrdersConfig, requires(Billing), crate = ::framework)]
    pub(crate) struct Orders;

    #[framework::plugin(crate = ::framework)]
    impl Orders {
        /// Place an order.
        #[action]
        async fn place(&self, ctx: &OrdersContext, Json(line): Json<String>) -> Result<Json<u32>> {
            ctx.call::<Billing>().charge().await?;
            ctx.cache.set("last", &line).await?;
            Ok(Json(ctx.config.max_lines))
        }

        /// Tidy up.
        #[job(every = "1h")]
        async fn tidy(&self, _ctx: &OrdersContext) {}

        #[on(start)]
        async fn started(&self, _app: &AppContext<Self>) {}

        #[on(tenant_created)]
        async fn welcome(&self, _ctx: &OrdersContext) {}
    }
}

framework::app! { crate = ::framework; orders::Orders, orders::Billing }

fn main() -> std::process::ExitCode {
    App::run()
}
