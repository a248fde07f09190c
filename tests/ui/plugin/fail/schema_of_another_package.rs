#![allow(unused)]

// The schema that cargo leaks into this compilation lists neither this plugin nor `central` for it.
#[xcore::plugin(services(db, central, cahce))]
struct Orders;

fn main() {}
