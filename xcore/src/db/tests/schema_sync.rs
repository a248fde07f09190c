//! `SchemaBuilder::sync` of one tenant beside others, whose tables have the same names.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Schema, Statement, TransactionTrait};

use super::{Kitchen, cake, topping};
use crate::db::DatabaseError;

async fn sync<C: ConnectionTrait + sea_schema::Connection>(db: &C) -> Result<(), DbErr> {
    let builder = Schema::new(DbBackend::Sqlite).builder();
    builder.register(topping::Entity).register(cake::Entity).sync(db).await
}

/// Everything that a file holds.
async fn all_of<C: ConnectionTrait>(db: &C) -> Vec<String> {
    let text =
        "SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS entry FROM main.sqlite_master ORDER BY 1";
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, text)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "entry").unwrap()).collect()
}

#[tokio::test]
async fn a_schema_sync_neither_sees_nor_touches_tables_of_others() {
    let kitchen = Kitchen::new().await;
    let shared = kitchen.database.shared();
    for name in ["acme", "globex", "initech"] {
        kitchen.database.provision(&super::id(name)).await.unwrap();
    }
    let [acme, globex, initech] = ["acme", "globex", "initech"].map(|name| kitchen.handle(name));
    let other = "CREATE TABLE cake (id INTEGER PRIMARY KEY, taste TEXT, cake_id INTEGER); CREATE TABLE topping (id INTEGER UNIQUE); \
         CREATE INDEX \"idx-topping-name\" ON cake (taste)";
    shared.execute_unprepared(other).await.unwrap();
    globex.execute_unprepared(other).await.unwrap();
    acme.execute_unprepared(
        "CREATE TABLE cake (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)",
    )
    .await
    .unwrap();
    let others = [all_of(&shared).await, all_of(&globex).await];

    sync(&acme).await.unwrap();
    let grown = all_of(&acme).await;
    assert!(
        grown.iter().any(|entry| entry.starts_with("table cake ") && entry.contains("price")),
        "{grown:?}"
    );
    assert!(
        grown.iter().any(|entry| entry.starts_with("table topping ") && entry.contains("REFERENCES")),
        "{grown:?}"
    );
    sync(&acme).await.unwrap();
    assert_eq!(all_of(&acme).await, grown, "a second time nothing is to be done");

    let transaction = initech.begin().await.unwrap();
    sync(&transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(all_of(&initech).await, Vec::<String>::new());
    sync(&initech.session().await.unwrap()).await.unwrap();
    super::bake(&initech, "pie").await;
    assert_eq!(super::count(&initech).await, 1);
    assert_eq!([all_of(&shared).await, all_of(&globex).await], others);

    let missing = sync(&kitchen.handle("nobody")).await.unwrap_err();
    let missing = DatabaseError::find_in(&missing);
    assert!(matches!(missing, Some(DatabaseError::Missing { .. })), "{missing:?}");
}
