//@ yaml: desk
#![allow(unused)]

use xcore_tests::plugins::desk::Desk;
use xcore_tests::plugins::notes::Notes;

xcore::app! { Notes, Desk }

fn main() {}
