#![allow(unused)]

#[xcore::plugin(version = "2.0.1")]
struct Billing;

#[xcore::plugin]
impl Billing {}

#[xcore::plugin(requires(Billing = "^1.2"))]
struct Orders;

#[xcore::plugin]
impl Orders {}

xcore::app! { Billing, Orders }

fn main() {}
