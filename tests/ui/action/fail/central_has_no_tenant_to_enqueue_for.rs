#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(scheduler))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job]
    async fn send(&self, ctx: &OrdersContext) {}

    #[action(post = "/", scope = "central")]
    async fn place(&self, app: &AppContext<Self>) -> Result<()> {
        app.enqueue(OrdersJobs::send()).await?;
        Ok(())
    }
}

fn main() {}
