#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(cache))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<()> {
        ctx.db.execute_unprepared("DELETE FROM orders").await?;
        Ok(())
    }
}

fn main() {}
