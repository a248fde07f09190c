#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(db, cache))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<()> {
        ctx.scheduler.pause("nightly").await?;
        Ok(())
    }
}

fn main() {}
