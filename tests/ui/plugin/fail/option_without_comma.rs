#![allow(unused)]

#[xcore::plugin(name = "orders" services(db))]
struct Orders;

fn main() {}
