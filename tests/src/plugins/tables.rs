//! More tables for a bench: each a migration of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sea_orm_migration::prelude::*;

/// How many there are.
pub static MORE: AtomicUsize = AtomicUsize::new(0);

/// The last one runs without a transaction, so that there is no template.
pub static WITHOUT_TEMPLATE: AtomicBool = AtomicBool::new(false);

/// The migrations.
pub(super) fn migrations() -> impl Iterator<Item = Box<dyn MigrationTrait>> {
    let tables = MORE.load(Ordering::Relaxed);
    (0..tables).map(move |number| {
        let name = format!("m1{number:03}_table");
        Box::new(Table { number, name, is_last: number + 1 == tables }) as Box<dyn MigrationTrait>
    })
}

struct Table {
    number: usize,
    name: String,
    is_last: bool,
}

impl MigrationName for Table {
    fn name(&self) -> &str {
        &self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Table {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let name = |number: usize| format!("table_{number}");
        let (this, before) = (name(self.number), self.number.checked_sub(1).map(name));
        let mut table = sea_orm_migration::prelude::Table::create();
        table
            .table(Alias::new(&this))
            .col(ColumnDef::new(Alias::new("id")).integer().not_null().auto_increment().primary_key())
            .col(ColumnDef::new(Alias::new("name")).string().not_null().unique_key())
            .col(ColumnDef::new(Alias::new("total")).big_integer().not_null().default(0))
            .col(ColumnDef::new(Alias::new("note")).text())
            .col(ColumnDef::new(Alias::new("before")).integer());
        if let Some(before) = before {
            let key = ForeignKey::create()
                .from(Alias::new(&this), Alias::new("before"))
                .to(Alias::new(before), Alias::new("id"))
                .to_owned();
            table.foreign_key(&mut key.clone());
        }
        manager.create_table(table).await?;
        let index = Index::create()
            .name(format!("of_{this}"))
            .table(Alias::new(&this))
            .col(Alias::new("total"))
            .to_owned();
        manager.create_index(index).await
    }

    fn use_transaction(&self) -> Option<bool> {
        (self.is_last && WITHOUT_TEMPLATE.load(Ordering::Relaxed)).then_some(false)
    }
}
