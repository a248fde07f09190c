//! `SchemaBuilder::sync`: tables made, made again, and grown to what newer entities have.
#![allow(unreachable_pub, reason = "what the macros of SeaORM write")]

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, JsonValue, Schema, Set, Statement};

use crate::stage::Handle;
use crate::trace::Trace;

/// The first version.
mod before {
    pub(crate) mod basket {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "sync_basket")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i32,
            #[sea_orm(unique)]
            pub label: String,
            #[sea_orm(unique_key = "place")]
            pub shelf: i32,
            #[sea_orm(unique_key = "place")]
            pub row: i32,
            #[sea_orm(has_many)]
            pub fruits: HasMany<super::fruit::Entity>,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }

    pub(crate) mod fruit {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "sync_fruit")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i32,
            #[sea_orm(indexed)]
            pub name: String,
            pub sour: bool,
            pub basket_id: i32,
            #[sea_orm(belongs_to, from = "basket_id", to = "id")]
            pub basket: BelongsTo<super::basket::Entity>,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }
}

/// The next one: columns, an enum, an index and a table more, and a column with another name.
mod after {
    pub(crate) mod basket {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "sync_basket")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i32,
            #[sea_orm(unique)]
            pub label: String,
            #[sea_orm(unique_key = "place")]
            pub shelf: i32,
            #[sea_orm(unique_key = "place")]
            pub row: i32,
            #[sea_orm(indexed)]
            #[sea_orm(default_value = "wood")]
            pub material: String,
            #[sea_orm(has_many)]
            pub fruits: HasMany<super::fruit::Entity>,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }

    pub(crate) mod fruit {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
        #[sea_orm(table_name = "sync_fruit")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i32,
            #[sea_orm(indexed)]
            pub name: String,
            #[sea_orm(renamed_from = "sour")]
            pub acid: bool,
            pub tea: Option<crate::types::Tea>,
            pub weight: Option<f64>,
            pub basket_id: i32,
            #[sea_orm(belongs_to, from = "basket_id", to = "id")]
            pub basket: BelongsTo<super::basket::Entity>,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }

    /// Points to itself and to another one.
    pub(crate) mod seed {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "sync_seed")]
        pub struct Model {
            #[sea_orm(primary_key, auto_increment = false)]
            pub id: i64,
            pub fruit_id: Option<i32>,
            pub parent_id: Option<i64>,
            #[sea_orm(belongs_to, from = "fruit_id", to = "id", on_delete = "SetNull")]
            pub fruit: BelongsTo<Option<super::fruit::Entity>>,
            #[sea_orm(
                self_ref,
                relation_enum = "Parent",
                relation_reverse = "Child",
                from = "parent_id",
                to = "id"
            )]
            pub parent: BelongsTo<Option<Entity>>,
            #[sea_orm(self_ref, relation_enum = "Child", relation_reverse = "Parent")]
            pub children: HasMany<Entity>,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }
}

pub(crate) async fn run<C: Handle + sea_schema::Connection>(db: &C) -> Trace {
    let mut trace = Trace::default();
    trace.group("sync");
    let old = || {
        Schema::new(db.backend()).builder().register(before::fruit::Entity).register(before::basket::Entity)
    };
    let new = || {
        let builder = Schema::new(db.backend()).builder();
        builder.register(after::seed::Entity).register(after::fruit::Entity).register(after::basket::Entity)
    };
    trace.step("makes", old().sync(db).await);
    trace.value("made", tables(db).await);
    trace.step("again", old().sync(db).await);
    trace.value("nothing was done", tables(db).await);

    let basket = before::basket::ActiveModel {
        label: Set("blue".to_owned()),
        shelf: Set(1),
        row: Set(2),
        ..Default::default()
    };
    trace.step(
        "a basket",
        before::basket::Entity::insert(basket).exec(db).await.map(|done| done.last_insert_id),
    );
    let fruit = before::fruit::ActiveModel {
        name: Set("lime".to_owned()),
        sour: Set(true),
        basket_id: Set(1),
        ..Default::default()
    };
    trace
        .step("a fruit", before::fruit::Entity::insert(fruit).exec(db).await.map(|done| done.last_insert_id));

    trace.step("grows", new().sync(db).await);
    trace.value("grown", tables(db).await);
    trace.step("again, grown", new().sync(db).await);
    trace.value("nothing was done, grown", tables(db).await);
    trace.step("rows of baskets", after::basket::Entity::find().all(db).await);
    trace.step("rows of fruits", after::fruit::Entity::find().all(db).await);
    trace.step("rows of seeds", after::seed::Entity::find().all(db).await);

    let mut gone = "DROP TABLE sync_seed; DROP TABLE sync_fruit; DROP TABLE sync_basket;".to_owned();
    if db.backend() == DbBackend::Postgres {
        gone += "DROP TYPE tea;";
    }
    trace.step("gone", db.execute_unprepared(&gone).await.map(|_| "done"));
    trace.value("nothing left", tables(db).await);
    assert!(trace.steps.iter().all(|step| !step.result.starts_with("ERROR")), "{:?}", trace.steps);
    trace
}

/// What the database knows of the tables: columns, indexes, constraints and enums.
async fn tables<C: ConnectionTrait>(db: &C) -> Vec<String> {
    let queries: &[&str] = match db.get_database_backend() {
        DbBackend::Postgres => &[
            "SELECT table_name::text, column_name::text, ordinal_position::int, data_type::text, udt_name::text, \
             column_default::text, is_nullable::text, is_identity::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name LIKE 'sync%' ORDER BY 1, 3",
            "SELECT indexname::text, indexdef::text FROM pg_indexes \
             WHERE schemaname = current_schema() AND tablename LIKE 'sync%' ORDER BY 1",
            "SELECT conname::text, conrelid::regclass::text AS of, pg_get_constraintdef(oid) AS def FROM pg_constraint \
             WHERE connamespace = current_schema()::regnamespace AND conrelid::regclass::text LIKE 'sync%' ORDER BY 1, 2",
            "SELECT t.typname::text, e.enumlabel::text FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid \
             WHERE t.typnamespace = current_schema()::regnamespace ORDER BY t.typname, e.enumsortorder",
        ],
        _ => &[
            "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE tbl_name LIKE 'sync%' ORDER BY 1, 2",
        ],
    };
    let mut found = Vec::new();
    for sql in queries {
        let statement = Statement::from_string(db.get_database_backend(), *sql);
        for row in db.query_all_raw(statement).await.unwrap() {
            found.push(JsonValue::from_query_result(&row, "").unwrap().to_string());
        }
    }
    found
}
