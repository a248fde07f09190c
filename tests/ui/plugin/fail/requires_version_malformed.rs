#![allow(unused)]

#[xcore::plugin]
struct Billing;

#[xcore::plugin(requires(Billing = "one"))]
struct Orders;

fn main() {}
