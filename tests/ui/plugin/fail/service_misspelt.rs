#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(db, cahce))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<()> {
        // Meant to be declared, so this is no second error.
        ctx.cache.set("last", &1).await?;
        Ok(())
    }
}

fn main() {}
