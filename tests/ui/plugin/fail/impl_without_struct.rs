//! The last error says what is wrong. The others are the compiler's own: `OrdersContext` stands in the user's words, once
//! per method, and no macro can know that there will be no such name. Nothing that is generated adds to them.
#![allow(unused)]

use xcore::prelude::*;

struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) {}

    #[job]
    async fn report(&self, ctx: &OrdersContext) -> Result<()> {
        Ok(())
    }
}

fn main() {}
