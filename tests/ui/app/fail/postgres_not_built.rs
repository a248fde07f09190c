//@ yaml: server

xcore::app! {}

fn main() {}
