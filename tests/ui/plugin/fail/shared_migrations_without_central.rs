#![allow(unused)]

struct Migrator;

#[xcore::plugin(services(cache), shared_migrations = Migrator)]
struct Orders;

fn main() {}
