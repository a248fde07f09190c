//@ yaml: echo
#![allow(unused)]

#[xcore::plugin]
struct Ecko;

#[xcore::plugin]
impl Ecko {}

xcore::app! { Ecko }

fn main() {}
