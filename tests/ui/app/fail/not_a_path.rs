#![allow(unused)]

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Orders {}

xcore::app! { Orders, "billing" }

fn main() {}
