#![allow(unused)]

#[xcore::plugin(servces(db))]
struct Orders;

fn main() {}
