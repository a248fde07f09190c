//@ in: configured
//! The whole way: a build script reads `xcore.yaml`, the macros check against it, `app!` proves the rest.

mod billing {
    use xcore::prelude::*;

    /// Writes invoices.
    #[xcore::plugin(services(db), version = "1.4.0")]
    pub(crate) struct Billing;

    #[xcore::plugin]
    impl Billing {
        /// Charge a customer.
        #[action(internal, callers = [crate::orders::Orders])]
        async fn charge(&self, _ctx: &BillingContext, Json(amount): Json<u32>) -> Result<Json<u32>> {
            Ok(Json(amount))
        }
    }
}

mod orders {
    use std::collections::HashMap;

    use xcore::prelude::*;

    use crate::billing::{Billing, BillingHandle};

    type Lines = u16;

    /// The section of `xcore.yaml`.
    #[derive(Deserialize, xcore::PluginConfig)]
    pub(crate) struct OrdersConfig {
        /// How many lines an order may have.
        max_lines: Lines,
        #[serde(rename = "open")]
        is_open: bool,
        rate: f64,
        currency: String,
        tags: Vec<String>,
        limits: HashMap<String, u32>,
        note: Option<String>,
        #[serde(default)]
        retries: u8,
    }

    /// Takes orders.
    #[xcore::plugin(
        services(db, cache, scheduler, central),
        config = OrdersConfig,
        requires(Billing = "^1.2"),
    )]
    pub(crate) struct Orders;

    #[xcore::plugin]
    impl Orders {
        /// Place an order.
        #[action(post = "/", status = 201, timeout = "5s")]
        async fn place(&self, ctx: &OrdersContext, Json(lines): Json<Vec<String>>) -> Result<Json<u32>> {
            let OrdersConfig { max_lines, is_open, rate, currency, tags, limits, note, retries } = &*ctx.config;
            let _ = (is_open, rate, currency, tags, limits, note, retries);
            if lines.len() > usize::from(*max_lines) {
                return Err(Error::unprocessable("too many lines"));
            }
            ctx.scheduler.cron("reminder", "0 6 * * *", OrdersJobs::remind()).await?;
            let billing: BillingHandle<Orders> = ctx.call::<Billing>();
            billing.charge(Json(7)).await
        }

        /// Remind everybody.
        #[job(cron = "0 0 6 * * MON-FRI", timezone = "Europe/Berlin", overlap = "queue", timeout = "5m")]
        async fn remind(&self, ctx: &OrdersContext) -> Result<()> {
            ctx.cache.set("reminded", &true).await?;
            Ok(())
        }
    }
}

xcore::app! { orders::Orders, billing::Billing }

fn main() -> std::process::ExitCode {
    App::run()
}
