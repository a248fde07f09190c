#![allow(unused)]

struct Migrator;

#[xcore::plugin(services(cache), migrations = Migrator)]
struct Orders;

fn main() {}
