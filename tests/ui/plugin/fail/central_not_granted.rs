//@ yaml: shop
#![allow(unused)]

#[xcore::plugin(services(db, central))]
struct Orders;

fn main() {}
