//@ yaml: echo
#![allow(unused)]

use xcore_tests::plugins::echo::Echo;

#[xcore::plugin]
struct Mail;

#[xcore::plugin]
impl Mail {}

xcore::app! { Echo, Mail }

fn main() {}
