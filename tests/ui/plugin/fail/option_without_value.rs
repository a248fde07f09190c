#![allow(unused)]

#[xcore::plugin(name, services)]
struct Orders;

fn main() {}
