#![allow(unused)]

#[xcore::plugin]
struct Billing;

#[xcore::plugin(requires(Billing, Billing = "^1"))]
struct Orders;

fn main() {}
