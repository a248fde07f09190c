#![allow(unused)]

#[xcore::plugin(name = "my-orders")]
struct Orders;

fn main() {}
