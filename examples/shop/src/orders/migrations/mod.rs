//! The tables of a tenant's orders.
//!
//! A migration has a file of its own: the name of the file is what the database remembers.

mod m0001_orders;

use sea_orm_migration::prelude::*;

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_orders::Migration)]
    }
}
