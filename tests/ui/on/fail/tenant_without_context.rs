#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[on(tenant_created)]
    async fn welcome(&self) {}
}

fn main() {}
