#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(every = "1h")]
    async fn report(&self, ctx: &OrdersContext) -> Result<u32> {
        Ok(7)
    }
}

fn main() {}
