#![allow(unused)]

#[xcore::plugin(requires(Orders))]
struct Orders;

fn main() {}
