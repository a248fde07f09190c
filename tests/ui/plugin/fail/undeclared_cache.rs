#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(db))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<()> {
        ctx.cache.set("last", &1).await?;
        Ok(())
    }
}

fn main() {}
