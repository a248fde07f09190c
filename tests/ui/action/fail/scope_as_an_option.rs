#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/", central)]
    async fn list(&self, app: &AppContext<Self>) {}
}

fn main() {}
