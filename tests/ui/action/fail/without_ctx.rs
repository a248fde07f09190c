#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action(get = "/{id}")]
    async fn get(&self, Path(id): Path<i32>) -> String {
        id.to_string()
    }

    #[action]
    async fn list(&self) {}
}

fn main() {}
