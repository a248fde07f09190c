//@ yaml: faults
#![allow(unused)]

use xcore_tests::plugins::desk::Desk;
use xcore_tests::plugins::echo::Echo;
use xcore_tests::plugins::notes::Notes;

xcore::app! { Echo, Notes, Desk }

fn main() {}
