//@ yaml: tokens

xcore::app! {}

fn main() {}
