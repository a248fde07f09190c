#![allow(unused)]

struct Billing;

#[xcore::plugin(requires(Billing))]
struct Orders;

fn main() {}
