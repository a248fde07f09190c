#![allow(unused)]

mod orders {
    use xcore::prelude::*;

    #[xcore::plugin(path = "/shop")]
    pub struct Orders;

    #[xcore::plugin]
    impl Orders {
        #[action(get = "/orders/{id}")]
        async fn order(&self, ctx: &OrdersContext, Path(id): Path<i32>) {}
    }
}

mod sales {
    use xcore::prelude::*;

    #[xcore::plugin(path = "/shop/orders")]
    pub struct Sales;

    #[xcore::plugin]
    impl Sales {
        #[action(get = "/{id}")]
        async fn sale(&self, ctx: &SalesContext, Path(id): Path<i32>) {}
    }
}

xcore::app! { orders::Orders, sales::Sales }

fn main() {}
