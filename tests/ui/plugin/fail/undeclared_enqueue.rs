#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(db))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job]
    async fn send(&self, ctx: &OrdersContext) {}

    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<()> {
        ctx.enqueue(OrdersJobs::send()).await?;
        Ok(())
    }
}

fn main() {}
