#![allow(unused)]

// The schema that cargo leaks into this compilation has a plugin of this name, and does not grant it `central`.
#[xcore::plugin(services(central, cahce))]
struct Notes;

fn main() {}
