//@ yaml: cached

xcore::app! {}

fn main() {}
