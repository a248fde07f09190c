#![allow(unused)]

#[xcore::plugin(services(database, redis))]
struct Orders;

fn main() {}
