//! Two tenants and the shared tables.

use futures_util::TryStreamExt;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    ModelTrait, PaginatorTrait, QueryFilter, QueryOrder, Statement,
};
use sqlx::Row;

use super::{Kitchen, TABLES, bake, cake, count, eventually, id, new};
use crate::db::DatabaseError;
use crate::db::postgres::mutants::Mutant;
use crate::db::postgres::target::Target;

#[tokio::test]
async fn no_method_of_sea_orm_reaches_another_tenant() {
    for connections in [1, 4] {
        let kitchen = Kitchen::with(|settings| settings.connections = connections).await;
        every_method_stays_with_its_tenant(&kitchen).await;
    }
}

pub(super) async fn every_method_stays_with_its_tenant(kitchen: &Kitchen) {
    let acme = kitchen.tenant("acme").await;
    let globex = kitchen.tenant("globex").await;
    bake(&globex, "pie").await;
    bake(&globex, "tart").await;
    let before = cake::Entity::find().all(&globex).await.unwrap();

    let sponge = new("sponge").insert(&acme).await.unwrap();
    let many = cake::Entity::insert_many([new("a"), new("b")]);
    many.exec(&acme).await.unwrap();
    let conflict = OnConflict::column(cake::Column::Name).update_column(cake::Column::Price).to_owned();
    let pie = cake::ActiveModel { price: Set(9), ..new("pie") };
    cake::Entity::insert(pie).on_conflict(conflict).exec(&acme).await.unwrap();
    let mut changed = sponge.into_active_model();
    changed.price = Set(4);
    let sponge = changed.update(&acme).await.unwrap();
    assert_eq!(cake::Entity::find_by_id(sponge.id).one(&acme).await.unwrap().unwrap().price, 4);
    cake::Entity::update_many().col_expr(cake::Column::Price, Expr::value(7)).exec(&acme).await.unwrap();
    let page = cake::Entity::find().order_by_asc(cake::Column::Id).paginate(&acme, 3);
    assert_eq!((page.num_items().await.unwrap(), page.fetch_page(1).await.unwrap().len()), (4, 1));
    let streamed: Vec<_> = cake::Entity::find().stream(&acme).await.unwrap().try_collect().await.unwrap();
    assert!(streamed.len() == 4 && streamed.iter().all(|cake| cake.price == 7));
    sponge.delete(&acme).await.unwrap();
    cake::Entity::delete_many().filter(cake::Column::Name.eq("tart")).exec(&acme).await.unwrap();
    assert_eq!(count(&acme).await, 3);
    assert_eq!(cake::Entity::find().all(&globex).await.unwrap(), before);
}

#[tokio::test]
async fn a_tenant_sees_shared_tables_behind_its_own_and_public_sees_only_them() {
    let kitchen = Kitchen::new().await;
    let shared = kitchen.database.shared();
    shared.execute_unprepared(TABLES).await.unwrap();
    bake(&shared, "of all").await;
    kitchen.database.provision(&id("acme")).await.unwrap();
    let acme = kitchen.handle("acme");
    assert_eq!(count(&acme).await, 1, "it has no such table itself");
    acme.execute_unprepared(TABLES).await.unwrap();
    assert_eq!(count(&acme).await, 0);
    assert_eq!(count(&kitchen.handle("public")).await, 1);
    let tables = Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT * FROM xcore_tenants");
    assert!(acme.query_all_raw(tables).await.is_err(), "the directory is not in sight");
}

#[tokio::test]
async fn without_isolation_all_work_on_one_schema() {
    let kitchen = Kitchen::with(|settings| settings.isolate = false).await;
    kitchen.database.shared().execute_unprepared(TABLES).await.unwrap();
    bake(&kitchen.handle("acme"), "pie").await;
    assert_eq!(count(&kitchen.handle("globex")).await, 1);
    let kept = kitchen.database.remove(&id("acme"), &()).await;
    assert!(matches!(kept, Err(DatabaseError::NotRemovable { .. })));
}

/// Rows of a table that only `public` has, as a missing tenant would read them.
pub(super) async fn read_as_ghost(kitchen: &Kitchen) -> Result<u64, DatabaseError> {
    use sea_orm::PaginatorTrait;
    cake::Entity::find().count(&kitchen.handle("ghost")).await.map_err(DatabaseError::of)
}

#[tokio::test]
async fn a_missing_schema_is_an_error_and_never_the_shared_tables() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    kitchen.database.shared().execute_unprepared(TABLES).await.unwrap();
    let acme = kitchen.tenant("acme").await;
    for _ in 0..3 {
        assert_eq!(count(&acme).await, 0);
        let missing = read_as_ghost(&kitchen).await;
        assert!(
            matches!(missing, Err(DatabaseError::Missing { tenant }) if tenant == id("ghost")),
            "{missing:?}"
        );
    }
    kitchen.postgres.pool.mutant.choose(Mutant::AsksForNoSchema);
    assert!(read_as_ghost(&kitchen).await.is_ok(), "the broken rule reads `public`");
}

#[tokio::test]
async fn a_schema_dropped_or_renamed_by_somebody_else_is_noticed() {
    let kitchen = Kitchen::with(|settings| settings.connections = 2).await;
    kitchen.database.shared().execute_unprepared(TABLES).await.unwrap();
    bake(&kitchen.database.shared(), "of all").await;
    for change in ["DROP SCHEMA acme CASCADE", "ALTER SCHEMA acme RENAME TO elsewhere"] {
        let acme = kitchen.tenant("acme").await;
        bake(&acme, "pie").await;
        kitchen.sql(change).await;
        let acme = &acme;
        eventually("an error that says so", || async move {
            match cake::Entity::find().count(acme).await.map_err(DatabaseError::of) {
                Err(DatabaseError::Missing { .. }) => true,
                Ok(_) => false,
                Err(other) => panic!("{other}"),
            }
        })
        .await;
        assert!(!kitchen.database.exists(&id("acme")).await.unwrap());
    }
}

#[tokio::test]
async fn a_table_not_found_in_a_schema_that_is_gone_says_that_the_tenant_is_missing() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    count(&acme).await;
    kitchen.sql("DROP SCHEMA acme CASCADE").await;
    let missing = cake::Entity::find().count(&acme).await.map_err(DatabaseError::of);
    assert!(matches!(missing, Err(DatabaseError::Missing { .. })), "{missing:?}");
}

#[tokio::test]
async fn tenants_of_different_versions_share_no_plan_and_no_plan_outlives_its_table() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let (acme, globex) = (kitchen.tenant("acme").await, kitchen.tenant("globex").await);
    globex.execute_unprepared("ALTER TABLE cake ALTER price TYPE bigint, ADD extra text").await.unwrap();
    let all = || Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT * FROM cake");
    acme.execute_unprepared("INSERT INTO cake (name, price) VALUES ('pie', 1)").await.unwrap();
    globex.execute_unprepared("INSERT INTO cake (name, price) VALUES ('tart', 5000000000)").await.unwrap();
    for _ in 0..8 {
        let row = acme.query_one_raw(all()).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i32>("", "price").unwrap(), 1);
        let row = globex.query_one_raw(all()).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i64>("", "price").unwrap(), 5_000_000_000);
    }
    // Widened by another process, while this one has plans.
    kitchen.sql("ALTER TABLE acme.cake ALTER price TYPE bigint").await;
    let row = acme.query_one_raw(all()).await.unwrap().unwrap();
    assert_eq!(row.try_get::<i64>("", "price").unwrap(), 1);
    kitchen.sql("ALTER TABLE acme.cake ADD more text").await;
    let rows: Vec<_> = {
        use sea_orm::StreamTrait;
        acme.stream_raw(all()).await.unwrap().try_collect().await.unwrap()
    };
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn a_session_that_was_never_moved_to_a_tenant_reads_nothing() {
    let kitchen = Kitchen::new().await;
    kitchen.database.shared().execute_unprepared(TABLES).await.unwrap();
    let mut fresh = kitchen.postgres.pool.fresh().await;
    use sqlx::Executor;
    assert!(fresh.raw().fetch_all("SELECT * FROM cake").await.is_err());
    fresh.switch(Target::Public, true).await.unwrap();
    assert_eq!(fresh.raw().fetch_all("SELECT * FROM cake").await.unwrap().len(), 0);
    fresh.reset().await.unwrap();
    assert!(fresh.raw().fetch_all("SELECT * FROM cake").await.is_err(), "also after a reset");
    let path = fresh.raw().fetch_one("SHOW search_path").await.unwrap();
    assert_eq!(path.get::<String, _>(0), "xcore_nobody");
}

#[tokio::test]
async fn tenants_are_made_found_and_removed_and_foreign_schemas_are_left_alone() {
    let kitchen = Kitchen::new().await;
    kitchen.sql("CREATE SCHEMA foreign_one; CREATE TABLE foreign_one.t (a int)").await;
    let names = ["globex", "acme", "with-dash", "0digit"];
    for name in names {
        kitchen.tenant(name).await;
        kitchen.database.provision(&id(name)).await.unwrap();
    }
    let there: Vec<_> =
        kitchen.database.tenants_on_disk().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(there, ["0digit", "acme", "globex", "with-dash"]);
    for call in [
        kitchen.database.exists(&id("foreign_one")).await.map(drop),
        kitchen.database.provision(&id("foreign_one")).await,
        kitchen.database.remove(&id("foreign_one"), &()).await,
    ] {
        assert!(matches!(call, Err(DatabaseError::Odd { .. })), "{call:?}");
    }
    let mut many = String::new();
    for n in 0..450 {
        many.push_str(&format!("CREATE TABLE \"with-dash\".t{n} (a int);"));
    }
    kitchen.sql(&many).await;
    for name in names {
        kitchen.database.remove(&id(name), &()).await.unwrap();
        kitchen.database.remove(&id(name), &()).await.unwrap();
        assert!(!kitchen.database.exists(&id(name)).await.unwrap());
        let missing = cake::Entity::find().count(&kitchen.handle(name)).await.map_err(DatabaseError::of);
        assert!(matches!(missing, Err(DatabaseError::Missing { .. })), "{missing:?}");
    }
    assert!(kitchen.database.tenants_on_disk().await.unwrap().is_empty());
}

#[tokio::test]
async fn two_that_make_the_same_tenant_at_once_both_succeed() {
    let kitchen = Kitchen::new().await;
    let (one, other) = (id("acme"), id("acme"));
    let made = tokio::join!(
        kitchen.database.provision(&one),
        kitchen.database.provision(&other),
        kitchen.database.provision(&one)
    );
    assert!(made.0.is_ok() && made.1.is_ok() && made.2.is_ok(), "{made:?}");
}

#[tokio::test]
async fn removing_waits_for_a_user_and_refuses_new_ones() {
    use sea_orm::TransactionTrait;
    let kitchen =
        Kitchen::with(|settings| settings.drain_timeout = std::time::Duration::from_millis(100)).await;
    let acme = kitchen.tenant("acme").await;
    let held = acme.begin().await.unwrap();
    let used = kitchen.database.remove(&id("acme"), &()).await;
    assert!(matches!(used, Err(DatabaseError::StillUsed { .. })), "{used:?}");
    held.rollback().await.unwrap();
    kitchen.database.remove(&id("acme"), &()).await.unwrap();
    kitchen.tenant("acme").await;
    assert_eq!(count(&acme).await, 0, "made anew");
}

#[tokio::test]
async fn after_closing_there_is_a_clear_error() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    kitchen.database.close().await;
    let closed = cake::Entity::find().count(&acme).await.map_err(DatabaseError::of);
    assert!(matches!(closed, Err(DatabaseError::Closed)), "{closed:?}");
    let mut wrong = kitchen.settings.clone();
    wrong.server =
        crate::db::DatabaseSettings::new("postgres://u:secret@127.0.0.1:1/x", std::path::Path::new("/"))
            .unwrap()
            .server;
    assert!(!format!("{wrong:?}").contains("secret"));
    let refused = crate::db::Database::open(wrong).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.to_string().contains("secret"), "{refused}");
}
