#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/files/{name}")]
    async fn file(&self, ctx: &OrdersContext, Path(name): Path<String>) {}

    #[action(get = "/files/{*path}")]
    async fn files(&self, ctx: &OrdersContext, Path(path): Path<String>) {}
}

fn main() {}
