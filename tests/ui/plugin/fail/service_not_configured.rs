//@ yaml: shop
#![allow(unused)]

#[xcore::plugin(services(db, scheduler))]
struct Orders;

fn main() {}
