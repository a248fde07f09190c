//! `SchemaBuilder::sync` of one tenant beside others, whose tables have the same names.

use sea_orm::{ConnectionTrait, DbErr, Schema, TransactionTrait};
use sqlx::{Executor, Row};

use super::Kitchen;
use crate::db::DatabaseError;

mod crust {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "crust")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub label: String,
        #[sea_orm(has_many)]
        pub pies: HasMany<super::pie::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod pie {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pie")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(indexed)]
        pub name: String,
        pub weight: Option<i32>,
        pub crust_id: i32,
        #[sea_orm(belongs_to, from = "crust_id", to = "id")]
        pub crust: BelongsTo<super::crust::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a tenant has of an earlier version. Its foreign key is named otherwise than SeaORM would.
const EARLIER: &str = "CREATE TABLE crust (id serial PRIMARY KEY, label varchar NOT NULL UNIQUE);
     CREATE TABLE pie (id serial PRIMARY KEY, name varchar NOT NULL, crust_id integer NOT NULL,
         CONSTRAINT pie_crust FOREIGN KEY (crust_id) REFERENCES crust (id))";

/// Tables of the same names that are something else: one is a part of another table, and a key of the same name points elsewhere, to a
/// table that comes first by its name.
const OTHERS: &str = "CREATE TABLE globex.bran (id integer PRIMARY KEY);
     CREATE TABLE globex.pie (id serial PRIMARY KEY, bran_id integer, \"idx-pie-name\" text,
         CONSTRAINT pie_crust FOREIGN KEY (bran_id) REFERENCES globex.bran (id));
     CREATE TABLE globex.crusts (id integer, taste text) PARTITION BY LIST (id);
     CREATE TABLE globex.crust PARTITION OF globex.crusts FOR VALUES IN (1);
     CREATE TABLE public.pie (id serial PRIMARY KEY, taste text);
     CREATE TABLE public.crust (id integer UNIQUE, pie integer REFERENCES public.pie (id));
     CREATE INDEX \"idx-pie-name\" ON public.pie (taste)";

async fn sync<C: ConnectionTrait + sea_schema::Connection>(db: &C) -> Result<(), DbErr> {
    let builder = Schema::new(db.get_database_backend()).builder();
    builder.register(pie::Entity).register(crust::Entity).sync(db).await
}

/// Everything that a schema holds, with the identity of its tables, past the service.
async fn all_of(kitchen: &Kitchen, schema: &str) -> Vec<String> {
    let text = "SELECT concat_ws(' ', 'column', c.oid, c.relname, a.attnum, a.attname, a.atttypid::regtype, a.attnotnull)
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
             WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p')
         UNION ALL SELECT concat_ws(' ', 'constraint', conname, pg_get_constraintdef(oid)) FROM pg_constraint
             WHERE connamespace = $1::regnamespace
         UNION ALL SELECT concat_ws(' ', 'index', indexname, indexdef) FROM pg_indexes WHERE schemaname = $1
         ORDER BY 1";
    let rows = sqlx::query(text).bind(schema).fetch_all(&mut kitchen.beside().await).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn how_many(all: &[String], what: &str) -> usize {
    all.iter().filter(|entry| entry.contains(what)).count()
}

pub(super) async fn each_tenant_by_itself(kitchen: &Kitchen) {
    for name in ["acme", "globex", "initech"] {
        kitchen.database.provision(&super::id(name)).await.unwrap();
    }
    kitchen.beside().await.execute(OTHERS).await.unwrap();
    let (acme, initech) = (kitchen.handle("acme"), kitchen.handle("initech"));
    acme.execute_unprepared(EARLIER).await.unwrap();
    let others = [all_of(kitchen, "globex").await, all_of(kitchen, "public").await];

    // One has tables, which get what they lack and nothing that another tenant's would.
    sync(&acme).await.unwrap();
    let grown = all_of(kitchen, "acme").await;
    assert_eq!(how_many(&grown, " weight integer "), 1, "{grown:?}");
    assert_eq!(how_many(&grown, "index idx-pie-name "), 1, "{grown:?}");
    assert_eq!(how_many(&grown, "FOREIGN KEY"), 1, "it has this key, under another name: {grown:?}");
    sync(&acme).await.unwrap();
    assert_eq!(all_of(kitchen, "acme").await, grown, "a second time nothing is to be done");

    // Another has none, and gets its own.
    let transaction = initech.begin().await.unwrap();
    sync(&transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(all_of(kitchen, "initech").await, Vec::<String>::new());
    sync(&initech).await.unwrap();
    let made = all_of(kitchen, "initech").await;
    assert_eq!((how_many(&made, " weight integer "), how_many(&made, "FOREIGN KEY")), (1, 1), "{made:?}");
    assert!(how_many(&made, "REFERENCES public.") == 0, "{made:?}");

    assert_eq!([all_of(kitchen, "globex").await, all_of(kitchen, "public").await], others);
    assert_eq!(all_of(kitchen, "acme").await, grown);

    // Nor are the tenants' tables those of the shared schema.
    kitchen.sql("DROP TABLE public.crust, public.pie").await;
    sync(&kitchen.database.shared()).await.unwrap();
    assert_eq!(how_many(&all_of(kitchen, "public").await, " weight integer "), 1);
    assert_eq!((all_of(kitchen, "acme").await, all_of(kitchen, "initech").await), (grown, made));

    let missing = sync(&kitchen.handle("nobody")).await.unwrap_err();
    let missing = DatabaseError::find_in(&missing);
    assert!(matches!(missing, Some(DatabaseError::Missing { .. })), "{missing:?}");
}

#[tokio::test]
async fn a_schema_sync_neither_sees_nor_touches_tables_of_others() {
    let kitchen = Kitchen::new().await;
    each_tenant_by_itself(&kitchen).await;
    // And in a session, which may be moved.
    let session = kitchen.handle("acme").session().await.unwrap();
    session.execute_unprepared("SET search_path TO globex").await.unwrap();
    let before = all_of(&kitchen, "globex").await;
    sync(&session).await.unwrap();
    assert_eq!(all_of(&kitchen, "globex").await, before);
}
