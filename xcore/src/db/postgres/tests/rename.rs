//! Schemas that get another name, and spare ones that become a tenant's.
#![allow(elided_lifetimes_in_paths)] // `async_trait` wants the lifetimes of `up` written as SeaORM's trait writes them

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, TransactionTrait};
use sqlx::{Connection, Executor, Row};

use super::migrations::{Text, migrator};
use super::pooler::Behind;
use super::{Kitchen, TABLES, bake, count, eventually, id, roles};
use crate::db::backend::Tended;
use crate::db::{DatabaseError, DbRole, Migrations};
use sea_orm_migration::prelude::*;

impl Kitchen {
    async fn rename(&self, from: &str, to: &str) -> Result<(), DatabaseError> {
        self.database.rename(&id(from), &id(to), &()).await
    }
}

/// A tenant by both ways of a statement, and in a transaction.
async fn counted(kitchen: &Kitchen, name: &str) -> u64 {
    let db = kitchen.handle(name);
    let all = count(&db).await;
    let transaction = db.begin().await.unwrap();
    assert_eq!(count(&transaction).await, all);
    transaction.rollback().await.unwrap();
    let by_path = db.execute_unprepared("UPDATE cake SET price = 1").await.unwrap();
    assert_eq!(by_path.rows_affected(), all);
    all
}

async fn is_missing(kitchen: &Kitchen, name: &str) -> bool {
    let db = kitchen.handle(name);
    let asked = [
        db.execute_unprepared("UPDATE cake SET price = 1").await.map(drop),
        db.execute_unprepared("SELECT 1").await.map(drop),
        db.begin().await.map(drop),
    ];
    asked.into_iter().all(|asked| {
        asked.is_err_and(|error| matches!(DatabaseError::of(error), DatabaseError::Missing { .. }))
    })
}

async fn goes_with_its_name(kitchen: &Kitchen) {
    // What a fall-through would find.
    kitchen.sql(TABLES).await;
    kitchen.sql("INSERT INTO public.cake (name, price) VALUES ('of all', 9)").await;
    let acme = kitchen.tenant("acme").await;
    for number in 0..3 {
        bake(&acme, &format!("of acme {number}")).await;
    }
    assert_eq!(counted(kitchen, "acme").await, 3);
    eventually("its statements are sent in full", || async {
        count(&acme).await;
        kitchen.pool().plain.is_plain(&id("acme")) || kitchen.clients.is_some()
    })
    .await;
    kitchen.rename("acme", "globex").await.unwrap();
    assert!(is_missing(kitchen, "acme").await);
    assert_eq!(counted(kitchen, "globex").await, 3);
    // Done before.
    kitchen.rename("acme", "globex").await.unwrap();
    let next = kitchen.tenant("acme").await;
    assert_eq!(counted(kitchen, "acme").await, 0);
    bake(&next, "of the next").await;
    assert_eq!((counted(kitchen, "acme").await, counted(kitchen, "globex").await), (1, 3));
    let taken = kitchen.rename("acme", "globex").await;
    assert!(matches!(taken, Err(DatabaseError::NameTaken { .. })), "{taken:?}");
    let nobody = kitchen.rename("nobody", "somebody").await;
    assert!(matches!(nobody, Err(DatabaseError::Missing { .. })), "{nobody:?}");
    // Back and forth, while the sessions of the pool know all of the names.
    kitchen.rename("acme", "x").await.unwrap();
    kitchen.rename("globex", "acme").await.unwrap();
    kitchen.rename("x", "globex").await.unwrap();
    assert_eq!((counted(kitchen, "acme").await, counted(kitchen, "globex").await), (3, 1));
    assert_eq!(count(&kitchen.handle("acme")).await, 3);
}

#[tokio::test]
async fn a_schema_goes_with_its_name_and_no_session_believes_the_old_one() {
    goes_with_its_name(&Kitchen::new().await).await;
    for role in [DbRole::SetRole, DbRole::Login] {
        let kitchen = roles::kitchen(role, 4).await;
        goes_with_its_name(&kitchen).await;
        // The role of the old name is the next tenant's, or nobody's.
        for name in ["acme", "globex"] {
            assert!(kitchen.has_role(&kitchen.postgres.roles.name(&id(name))).await, "{role:?} {name}");
        }
        assert!(!kitchen.has_role(&kitchen.postgres.roles.name(&id("x"))).await);
        let crossing = roles::run(&kitchen.handle("acme"), "SELECT * FROM globex.cake").await;
        assert!(roles::is_refused(&crossing), "{role:?}: {crossing:?}");
    }
}

#[tokio::test]
async fn a_schema_goes_with_its_name_behind_a_pooler() {
    for role in [DbRole::Shared, DbRole::SetRole] {
        let behind = Behind::with(1, |settings| settings.db_role = role).await;
        goes_with_its_name(&behind.kitchen).await;
    }
}

#[tokio::test]
async fn a_transaction_of_another_process_that_has_touched_the_schema_is_waited_for() {
    let kitchen =
        Kitchen::with(|settings| settings.drain_timeout = std::time::Duration::from_millis(400)).await;
    bake(&kitchen.tenant("acme").await, "of acme").await;
    let mut other = kitchen.beside().await;
    let mut transaction = other.begin().await.unwrap();
    transaction
        .execute("SET LOCAL search_path TO acme; INSERT INTO cake (name, price) VALUES ('late', 1)")
        .await
        .unwrap();
    let refused = kitchen.rename("acme", "globex").await;
    assert!(matches!(refused, Err(DatabaseError::StillUsed { .. })), "{refused:?}");
    assert_eq!(count(&kitchen.handle("acme")).await, 1);
    transaction.commit().await.unwrap();
    kitchen.rename("acme", "globex").await.unwrap();
    assert_eq!(count(&kitchen.handle("globex")).await, 2);
}

#[tokio::test]
async fn a_schema_whose_code_names_it_keeps_its_name() {
    for text in [
        "CREATE FUNCTION acme.f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM acme.cake'",
        "CREATE FUNCTION acme.f() RETURNS int LANGUAGE sql SET search_path TO acme AS 'SELECT 1'",
        "CREATE FUNCTION acme.f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('DELETE FROM %I.cake', 'acme'); END $$",
    ] {
        let kitchen = Kitchen::new().await;
        bake(&kitchen.tenant("acme").await, "of acme").await;
        kitchen.sql(text).await;
        let refused = kitchen.rename("acme", "globex").await;
        assert!(matches!(refused, Err(DatabaseError::NamesItself { .. })), "{text}: {refused:?}");
        assert_eq!(count(&kitchen.handle("acme")).await, 1);
        kitchen.sql("DROP FUNCTION acme.f()").await;
        kitchen.sql("CREATE VIEW acme.seen AS SELECT acme.id FROM acme.cake acme; COMMENT ON VIEW acme.seen IS 'acme.cake'").await;
        kitchen.rename("acme", "globex").await.unwrap();
    }
}

migrator!(Small: Text("m1", "CREATE TABLE cake (id serial PRIMARY KEY, name text NOT NULL, price int NOT NULL)", None), Text("m2", "CREATE TABLE more (id int REFERENCES cake (id)); CREATE VIEW seen AS SELECT * FROM cake", None));
migrator!(Alone: Text("m1", "CREATE TABLE a (id int)", Some(false)));

async fn spare_schemas(kitchen: &Kitchen) -> i64 {
    let text = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'xcore\\_spare\\_%'";
    kitchen.beside().await.fetch_one(text).await.unwrap().get(0)
}

async fn tended(kitchen: &Kitchen, wanted: usize, migrations: &[Migrations]) {
    for _ in 0..200 {
        if kitchen.database.tend_spares(wanted, migrations).await.unwrap() == Tended::Enough {
            return;
        }
    }
    panic!("there are never {wanted}");
}

#[tokio::test]
async fn each_spare_becomes_one_tenants_with_all_that_its_migrations_make() {
    let small = [Migrations::of::<Small>("small")];
    let mut kitchens = vec![Kitchen::new().await];
    for role in [DbRole::SetRole, DbRole::Login] {
        kitchens.push(roles::kitchen(role, 4).await);
    }
    for kitchen in &kitchens {
        tended(kitchen, 4, &small).await;
        assert_eq!(spare_schemas(kitchen).await, 4);
        assert_eq!(kitchen.database.spares(&small).await.unwrap(), 4);
        assert_eq!(kitchen.database.tenants_on_disk().await.unwrap(), []);
        // Another process, which has never read the script, takes them as well.
        let other = crate::db::Database::open(kitchen.settings.clone()).await.unwrap();
        let names: Vec<String> = (0..8).map(|number| format!("t{number}")).collect();
        let taken = join_all(names.iter().enumerate().map(async |(number, name)| {
            let database = if number % 2 == 0 { &kitchen.database } else { &other };
            database.take_spare(&id(name), &small).await.unwrap()
        }))
        .await;
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 4, "{taken:?}");
        assert_eq!(spare_schemas(kitchen).await, 0);
        let mut made = Vec::new();
        for (name, _) in names.iter().zip(&taken).filter(|(_, taken)| **taken) {
            let db = kitchen.handle(name);
            bake(&db, name).await;
            assert_eq!(count(&db).await, 1);
            roles::run(
                &db,
                "INSERT INTO more VALUES (1); CREATE TABLE own (id int); DROP VIEW seen; DROP TABLE own",
            )
            .await
            .unwrap();
            roles::run(&db, "CREATE VIEW seen AS SELECT * FROM cake").await.unwrap();
            assert!(kitchen.database.pending_tenant(&id(name), &small).await.unwrap().is_empty());
            made.push(id(name));
        }
        assert_eq!(kitchen.database.drift(&made, &small).await.unwrap(), []);
        // There is a tenant of the name already.
        tended(kitchen, 1, &small).await;
        assert!(!kitchen.database.take_spare(&made[0], &small).await.unwrap());
        assert_eq!(count(&kitchen.handle(made[0].as_str())).await, 1);
        tended(kitchen, 0, &small).await;
        assert_eq!(spare_schemas(kitchen).await, 0);
    }
}

#[tokio::test]
async fn a_spare_of_other_migrations_is_nobodys_and_where_no_script_is_there_are_none() {
    let kitchen = Kitchen::new().await;
    let small = [Migrations::of::<Small>("small")];
    tended(&kitchen, 1, &small).await;
    kitchen
        .sql("DO $$ DECLARE s text := (SELECT nspname FROM pg_namespace WHERE nspname LIKE 'xcore\\_spare\\_%'); BEGIN
              EXECUTE format('COMMENT ON SCHEMA %I IS %L', s, 'a spare tenant of xcore, other other 99999999999999'); END $$")
        .await;
    assert!(!kitchen.database.take_spare(&id("acme"), &small).await.unwrap());
    // It was made later than this process began to look: by one that runs beside it.
    tended(&kitchen, 1, &small).await;
    assert_eq!((spare_schemas(&kitchen).await, kitchen.database.spares(&small).await.unwrap()), (2, 1));
    let kitchen = Kitchen::new().await;
    let alone = [Migrations::of::<Alone>("alone")];
    assert_eq!(kitchen.database.tend_spares(3, &alone).await.unwrap(), Tended::Impossible);
    assert_eq!(spare_schemas(&kitchen).await, 0);
}
