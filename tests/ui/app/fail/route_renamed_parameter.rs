#![allow(unused)]

mod orders {
    use xcore::prelude::*;

    #[xcore::plugin(path = "/orders")]
    pub struct Orders;

    #[xcore::plugin]
    impl Orders {
        #[action(get = "/{id}")]
        async fn order(&self, ctx: &OrdersContext, Path(id): Path<i32>) {}
    }
}

mod sales {
    use xcore::prelude::*;

    #[xcore::plugin(path = "/orders")]
    pub struct Sales;

    #[xcore::plugin]
    impl Sales {
        #[action(delete = "/{number}")]
        async fn cancel(&self, ctx: &SalesContext, Path(id): Path<i32>) {}
    }
}

xcore::app! { orders::Orders, sales::Sales }

fn main() {}
