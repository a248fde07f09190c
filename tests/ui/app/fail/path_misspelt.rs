#![allow(unused)]

mod orders {
    #[xcore::plugin]
    pub struct Orders;

    #[xcore::plugin]
    impl Orders {}
}

xcore::app! { orders::Ordres }

fn main() {}
