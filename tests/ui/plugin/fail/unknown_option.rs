#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(servces(db))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<()> {
        // Meant to be declared, so this is no second error.
        ctx.db.execute_unprepared("DELETE FROM orders").await?;
        Ok(())
    }
}

fn main() {}
