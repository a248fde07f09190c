#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(db))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/", scope = "central")]
    async fn list(&self, app: &AppContext<Self>, tenant: Tenant) {}
}

fn main() {}
