#![allow(unused)]

#[xcore::plugin(name = "orders", services(db), name = "sales")]
struct Orders;

fn main() {}
