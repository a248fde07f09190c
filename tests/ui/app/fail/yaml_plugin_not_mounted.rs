//@ yaml: echo
xcore::app! {}

fn main() {}
