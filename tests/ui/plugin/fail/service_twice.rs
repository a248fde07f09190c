#![allow(unused)]

#[xcore::plugin(services(db, cache, db))]
struct Orders;

fn main() {}
