//! What a handle says of itself, and the schema that SeaORM makes for entities.

use sea_orm::sea_query::{Alias, Table};
use sea_orm::{ConnectionTrait, DbBackend, Schema};
use sea_orm_migration::MigratorTrait;
use xcore_tests::plugins::notes;

use crate::stage::Handle;
use crate::trace::Trace;
use crate::types::{Tea, kinds};

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("backend");
    trace.value("get_database_backend", ConnectionTrait::get_database_backend(db));
    trace.value("get_database_backend of streams", db.backend());
    trace.value("support_returning", db.support_returning());
    trace.value("is_mock_connection", db.is_mock_connection());

    let schema = Schema::new(db.backend());
    let mut table = schema.create_table_from_entity(kinds::Entity);
    let copy = Alias::new("kinds_copy");
    let none = |done: Result<sea_orm::ExecResult, _>| done.map(|_| "done");
    trace.step("create_table_from_entity", none(db.execute(table.table(copy.clone())).await));
    for (number, mut index) in schema.create_index_from_entity(kinds::Entity).into_iter().enumerate() {
        trace.step(&format!("index {number}"), none(db.execute(index.table(copy.clone())).await));
    }
    trace.step("drop table", none(db.execute(&Table::drop().table(copy).take()).await));
    if db.backend() == DbBackend::Postgres {
        let made = schema.create_enum_from_active_enum::<Tea>();
        trace.value("create_enum_from_active_enum", made.is_some());
    }

    // The parts of a migrator that take any connection.
    let names = |all: Vec<sea_orm_migration::Migration>| {
        all.iter().map(|one| (one.name().to_owned(), one.status().to_string())).collect::<Vec<_>>()
    };
    trace.step("pending, read only", notes::Migrator::get_pending_migrations_read_only(db).await.map(names));
    trace.step("install", notes::Migrator::install(db).await);
    trace.step("status", notes::Migrator::status(db).await);
    trace.step("get_migration_with_status", notes::Migrator::get_migration_with_status(db).await.map(names));
    trace.step("get_pending_migrations", notes::Migrator::get_pending_migrations(db).await.map(names));
    trace.step("get_applied_migrations", notes::Migrator::get_applied_migrations(db).await.map(names));
    trace.step("get_migration_models", notes::Migrator::get_migration_models(db).await);
    let tracked = Table::drop().table("seaql_migrations").take();
    trace.step("uninstalled", none(db.execute(&tracked).await));
}
