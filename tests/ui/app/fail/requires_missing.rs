#![allow(unused)]

#[xcore::plugin]
struct Billing;

#[xcore::plugin]
impl Billing {}

#[xcore::plugin(requires(Billing))]
struct Orders;

#[xcore::plugin]
impl Orders {}

xcore::app! { Orders }

fn main() {}
