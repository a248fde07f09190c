#![allow(unused)]

#[xcore::plugin(path = "/shops/{shop}/orders")]
struct Orders;

fn main() {}
