#![allow(unused)]

#[xcore::plugin]
struct Orders;

xcore::app! { Orders }

fn main() {}
