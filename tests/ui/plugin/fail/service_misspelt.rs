#![allow(unused)]

#[xcore::plugin(services(db, cahce))]
struct Orders;

fn main() {}
