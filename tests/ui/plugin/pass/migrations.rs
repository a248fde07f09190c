//! Migrations of both kinds.

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// Makes the tables of a tenant.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        Vec::new()
    }
}

/// Takes orders.
#[xcore::plugin(services(db, central), migrations = Migrator, shared_migrations = Migrator)]
#[derive(Debug)]
pub struct Orders;

#[xcore::plugin]
impl Orders {}

xcore::app! { Orders }

fn main() -> std::process::ExitCode {
    App::run()
}
