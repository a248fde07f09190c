#![allow(unused)]

#[xcore::plugin(version = "1.2")]
struct Orders;

fn main() {}
