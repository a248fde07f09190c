//! A context is its tenant and its plugin. What stands for the services that are not declared adds nothing.

use std::sync::Arc;

use xcore::prelude::*;

/// Takes orders.
#[xcore::plugin]
#[derive(Debug)]
pub struct Orders;

#[xcore::plugin]
impl Orders {
    /// The tenant.
    #[action(get = "/")]
    async fn tenant(&self, ctx: &OrdersContext) -> String {
        ctx.clone().tenant.to_string()
    }
}

const _: () = assert!(size_of::<OrdersContext>() == size_of::<Tenant>() + size_of::<Arc<()>>());

xcore::app! { Orders }

fn main() -> std::process::ExitCode {
    App::run()
}
