//! Two plugins on one path with two methods, and a fixed segment beside a parameter.

mod orders {
    use xcore::prelude::*;

    /// Takes orders.
    #[xcore::plugin(path = "/shop")]
    pub(crate) struct Orders;

    #[xcore::plugin]
    impl Orders {
        /// One order.
        #[action(get = "/orders/{id}")]
        async fn get(&self, _ctx: &OrdersContext, Path(id): Path<u32>) -> String {
            id.to_string()
        }

        /// Those that are open.
        #[action(get = "/orders/open")]
        async fn open(&self, _ctx: &OrdersContext) -> &'static str {
            "none"
        }
    }
}

mod sales {
    use xcore::prelude::*;

    /// Counts them.
    #[xcore::plugin(path = "/shop/orders")]
    pub(crate) struct Sales;

    #[xcore::plugin]
    impl Sales {
        /// Forget one order.
        #[action(delete = "/{id}")]
        async fn forget(&self, _ctx: &SalesContext, Path(id): Path<u32>) -> String {
            id.to_string()
        }

        /// At the root of the plugin.
        #[action(get = "/")]
        async fn root(&self, _ctx: &SalesContext) {}
    }
}

mod root {
    /// Answers at the root of the app.
    #[xcore::plugin(path = "/")]
    pub(crate) struct Root;

    #[xcore::plugin]
    impl Root {
        /// The front page.
        #[xcore::action(get = "/")]
        async fn front(&self, _ctx: &RootContext) {}
    }
}

xcore::app! { orders::Orders, sales::Sales, root::Root }

fn main() -> std::process::ExitCode {
    App::run()
}
