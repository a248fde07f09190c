#![allow(unused)]

struct Migrator;

#[xcore::plugin(services(db), migrations = Migrator)]
struct Orders;

fn main() {}
