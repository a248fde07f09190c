#![allow(unused)]

trait Orders {}

#[xcore::plugin]
impl dyn Orders {}

fn main() {}
