#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(db))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<()> {
        ctx.central.db.execute_unprepared("DELETE FROM plans").await?;
        Ok(())
    }
}

fn main() {}
