//@ yaml: thin
#![allow(unused)]

use xcore_tests::plugins::notes::Notes;

xcore::app! { Notes }

fn main() {}
