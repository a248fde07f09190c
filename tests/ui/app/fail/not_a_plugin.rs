#![allow(unused)]

struct Orders;

xcore::app! { Orders }

fn main() {}
