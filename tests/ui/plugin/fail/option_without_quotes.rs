#![allow(unused)]

#[xcore::plugin(name = orders)]
struct Orders;

fn main() {}
