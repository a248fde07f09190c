//! The tables of a tenant's billing.

mod m0001_invoices;

use sea_orm_migration::prelude::*;

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_invoices::Migration)]
    }
}
