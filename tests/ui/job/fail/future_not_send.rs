#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(every = "1h")]
    async fn report(&self, ctx: &OrdersContext) {
        let count = std::rc::Rc::new(1);
        pause().await;
        drop(count);
    }
}

async fn pause() {
}

fn main() {}
