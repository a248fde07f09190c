#![allow(unused)]

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {}

#[xcore::plugin]
struct Billing;

#[xcore::plugin]
impl Billing {}

xcore::app! { Orders Billing }

fn main() {}
