//! The shared tables of the catalog.

mod m0001_products;

use sea_orm_migration::prelude::*;

pub(crate) struct SharedMigrator;

impl MigratorTrait for SharedMigrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_products::Migration)]
    }
}
