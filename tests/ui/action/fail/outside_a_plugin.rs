#![allow(unused)]

use xcore::prelude::*;

struct Orders;

impl Orders {
    #[action(get = "/")]
    async fn list(&self) {}
}

fn main() {}
