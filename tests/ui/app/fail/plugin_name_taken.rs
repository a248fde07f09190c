#![allow(unused)]

mod orders {
    #[xcore::plugin]
    pub struct Orders;

    #[xcore::plugin]
    impl Orders {}
}

mod sales {
    #[xcore::plugin(name = "orders", path = "/sales")]
    pub struct Sales;

    #[xcore::plugin]
    impl Sales {}
}

xcore::app! { orders::Orders, sales::Sales }

fn main() {}
