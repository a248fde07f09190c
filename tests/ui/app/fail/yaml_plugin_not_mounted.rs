//@ yaml: echo
#![allow(unused)]

xcore::app! {}

fn main() {}
