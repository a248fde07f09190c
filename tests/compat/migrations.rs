//! The migrator of a plugin: the app ran it when it made the tenant, SeaORM runs it here.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, FromQueryResult, JsonValue, Statement};
use sea_orm_migration::MigratorTrait;
use xcore::db::TenantDb;
use xcore_tests::plugins::notes::Migrator;

/// The tables of the notes as both have them, after SeaORM went up, down and up again.
pub(crate) async fn both(bare: &DatabaseConnection, tenant: &TenantDb) -> (Vec<String>, Vec<String>) {
    Migrator::up(bare, None).await.unwrap();
    let once = tables(bare).await;
    Migrator::status(bare).await.unwrap();
    Migrator::fresh(bare).await.unwrap();
    assert_eq!(tables(bare).await, once, "a second time");
    assert!(!once.is_empty());
    (once, tables(tenant).await)
}

/// What the database knows of the tables: columns, indexes and constraints.
async fn tables<C: ConnectionTrait>(db: &C) -> Vec<String> {
    let queries: &[&str] = match db.get_database_backend() {
        DbBackend::Postgres => &[
            "SELECT table_name::text, column_name::text, data_type::text, column_default::text, is_nullable::text, \
             is_identity::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name IN ('notes', 'tags')",
            "SELECT indexname::text, indexdef::text FROM pg_indexes \
             WHERE schemaname = current_schema() AND tablename IN ('notes', 'tags')",
            "SELECT conname::text, pg_get_constraintdef(oid) AS def FROM pg_constraint \
             WHERE connamespace = current_schema()::regnamespace AND conrelid::regclass::text IN ('notes', 'tags')",
        ],
        _ => &["SELECT type, name, sql FROM main.sqlite_master WHERE tbl_name IN ('notes', 'tags')"],
    };
    let mut found = Vec::new();
    for sql in queries {
        let statement = Statement::from_string(db.get_database_backend(), *sql);
        for row in db.query_all_raw(statement).await.unwrap() {
            found.push(JsonValue::from_query_result(&row, "").unwrap().to_string());
        }
    }
    found.sort();
    found
}
