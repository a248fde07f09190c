#![allow(unused)]

use xcore::cache::TenantCache;
use xcore::prelude::*;

#[xcore::plugin(services(db))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<()> {
        remember(&ctx.cache).await
    }
}

async fn remember(cache: &TenantCache) -> Result<()> {
    Ok(cache.set("last", &1).await?)
}

fn main() {}
