//! Without the standard prelude, and with traps in its place.
#![no_implicit_prelude]

/// What generated code would find if it named a type by its short name.
#[allow(dead_code)]
mod traps {
    pub(crate) struct Option;
    pub(crate) struct Result;
    pub(crate) struct Vec;
    pub(crate) struct Box;
    pub(crate) struct String;
    pub(crate) trait Default {}
    pub(crate) trait Clone {}
    pub(crate) trait Send {}
    pub(crate) const fn drop() {}
}

mod orders {
    use ::std::string::{String, ToString as _};
    use ::xcore::axum::extract::{Json, Path};

    /// The section of `xcore.yaml`.
    #[derive(::serde::Deserialize, ::xcore::PluginConfig)]
    pub(crate) struct OrdersConfig {
        max_lines: u32,
        note: ::std::option::Option<String>,
    }

    /// Writes invoices.
    #[::xcore::plugin]
    pub(crate) struct Billing;

    #[::xcore::plugin]
    impl Billing {
        /// Charge a customer.
        #[action(callers = [Orders], timeout = "1s")]
        async fn charge(&self, _ctx: &BillingContext) {}
    }

    /// Takes orders.
    #[::xcore::plugin(services(db, cache, scheduler, central), config = OrdersConfig, requires(Billing = "^1"))]
    #[derive(::std::default::Default)]
    pub(crate) struct Orders {
        served: ::std::sync::atomic::AtomicU32,
    }

    #[::xcore::plugin]
    impl Orders {
        /// Place an order.
        #[action(put = "/{id}", status = 201)]
        async fn place(
            &self,
            ctx: &OrdersContext,
            Path(id): Path<u32>,
            Json(line): Json<String>,
        ) -> ::xcore::Result<Json<u32>> {
            let _ = line;
            let _ = ctx.config.note.is_some();
            ctx.call::<Billing>().charge().await?;
            ::std::result::Result::Ok(Json(id + ctx.config.max_lines))
        }

        /// A response that has no name.
        #[action(get = "/name")]
        async fn name(&self, _ctx: &OrdersContext) -> impl ::xcore::axum::response::IntoResponse {
            self.served.fetch_add(1, ::std::sync::atomic::Ordering::Relaxed).to_string()
        }

        /// Tidy up.
        #[job(every = "1h", timeout = "5m")]
        async fn tidy(&self, _ctx: &OrdersContext) -> ::xcore::Result<()> {
            ::std::result::Result::Ok(())
        }

        #[on(stop)]
        async fn stopped(&self) {}
    }
}

::xcore::app! { orders::Orders, orders::Billing }

fn main() -> ::std::process::ExitCode {
    App::run()
}
