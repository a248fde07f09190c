#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[on(tenant_create)]
    async fn welcome(&self, ctx: &OrdersContext) {}
}

fn main() {}
