#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(db))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/", scope = "any")]
    async fn list(&self, ctx: &AnyContext<Self>, of_tenant: OrdersContext) {}
}

fn main() {}
