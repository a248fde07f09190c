#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(cache))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<()> {
        ctx.cache.set("last", &1).await?;
        ctx.db.ping().await?;
        Ok(())
    }
}

fn main() {}
