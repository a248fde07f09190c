//! Two tenants and the shared tables, over every SeaORM method.

use futures_util::TryStreamExt;
use sea_orm::sea_query::{Alias, Expr, OnConflict, Query};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    LoaderTrait, ModelTrait, PaginatorTrait, QueryFilter, QueryOrder, Statement, StreamTrait,
    TransactionError, TransactionTrait,
};

use super::{Kitchen, bake, cake, count, id, topping};
use crate::db::DatabaseError;

fn new(name: &str, price: i32) -> cake::ActiveModel {
    cake::ActiveModel { name: Set(name.to_owned()), price: Set(price), ..Default::default() }
}

#[tokio::test]
async fn no_method_of_sea_orm_reaches_another_tenant() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    let globex = kitchen.tenant("globex").await;
    bake(&globex, "pie").await;
    bake(&globex, "tart").await;
    let before = cake::Entity::find().all(&globex).await.unwrap();

    // insert, with the id and the row given back
    let sponge = new("sponge", 3).insert(&acme).await.unwrap();
    assert_eq!(sponge.id, 1);
    let inserted = cake::Entity::insert(new("plain", 1)).exec(&acme).await.unwrap();
    assert_eq!(inserted.last_insert_id, 2);
    // insert many, with a conflict
    let many = cake::Entity::insert_many([new("sponge", 9), new("carrot", 4)])
        .on_conflict(OnConflict::column(cake::Column::Name).update_column(cake::Column::Price).to_owned());
    many.exec(&acme).await.unwrap();
    assert_eq!(cake::Entity::find_by_id(1).one(&acme).await.unwrap().unwrap().price, 9);
    let none = cake::Entity::insert(new("sponge", 5))
        .on_conflict(OnConflict::column(cake::Column::Name).do_nothing().to_owned())
        .exec_without_returning(&acme)
        .await
        .unwrap();
    assert_eq!(none, 0);
    // update one, update many, save, delete one, delete many
    let mut carrot = cake::Entity::find()
        .filter(cake::Column::Name.eq("carrot"))
        .one(&acme)
        .await
        .unwrap()
        .unwrap()
        .into_active_model();
    carrot.price = Set(5);
    assert_eq!(carrot.update(&acme).await.unwrap().price, 5);
    let updated =
        cake::Entity::update_many().col_expr(cake::Column::Price, Expr::value(7)).exec(&acme).await.unwrap();
    assert_eq!(updated.rows_affected, 3);
    let saved = new("nut", 2).save(&acme).await.unwrap();
    saved.delete(&acme).await.unwrap();
    cake::Entity::delete_many().filter(cake::Column::Name.eq("plain")).exec(&acme).await.unwrap();
    // relations and loaders
    topping::ActiveModel { cake_id: Set(1), name: Set("cream".into()), ..Default::default() }
        .insert(&acme)
        .await
        .unwrap();
    let with = cake::Entity::find()
        .find_with_related(topping::Entity)
        .order_by_asc(cake::Column::Id)
        .all(&acme)
        .await
        .unwrap();
    assert_eq!(with[0].1[0].name, "cream");
    let cakes = cake::Entity::find().all(&acme).await.unwrap();
    assert_eq!(cakes.load_many(topping::Entity, &acme).await.unwrap()[0].len(), 1);
    assert_eq!(cakes[0].find_related(topping::Entity).one(&acme).await.unwrap().unwrap().name, "cream");
    // paginator, cursor, stream, raw
    let pages = cake::Entity::find().order_by_asc(cake::Column::Id).paginate(&acme, 1);
    assert_eq!(
        (pages.num_pages().await.unwrap(), pages.fetch_page(1).await.unwrap()[0].name.as_str()),
        (2, "carrot")
    );
    let mut cursor = cake::Entity::find().cursor_by(cake::Column::Id);
    assert_eq!(cursor.first(5).all(&acme).await.unwrap().len(), 2);
    let streamed: Vec<_> = cake::Entity::find().stream(&acme).await.unwrap().try_collect().await.unwrap();
    assert_eq!(streamed.len(), 2);
    let raw = Statement::from_string(acme.get_database_backend_of(), "SELECT * FROM cake");
    assert_eq!(cake::Entity::find().from_raw_sql(raw).all(&acme).await.unwrap().len(), 2);
    // transactions, with a savepoint and a closure
    let transaction = acme.begin().await.unwrap();
    bake(&transaction, "outer").await;
    let inner = transaction.begin().await.unwrap();
    bake(&inner, "inner").await;
    inner.rollback().await.unwrap();
    transaction.commit().await.unwrap();
    let failed: Result<(), TransactionError<sea_orm::DbErr>> = acme
        .transaction(|transaction| {
            Box::pin(async move {
                bake(transaction, "gone").await;
                Err(sea_orm::DbErr::Custom("no".into()))
            })
        })
        .await;
    assert!(matches!(failed, Err(TransactionError::Transaction(_))));
    let names: Vec<_> = cake::Entity::find()
        .order_by_asc(cake::Column::Id)
        .all(&acme)
        .await
        .unwrap()
        .into_iter()
        .map(|c| c.name)
        .collect();
    assert_eq!(names, ["sponge", "carrot", "outer"]);

    assert_eq!(cake::Entity::find().all(&globex).await.unwrap(), before, "globex must not have changed");
    cake::Entity::delete_many().exec(&globex).await.unwrap();
    assert_eq!(count(&acme).await, 3);
}

impl crate::db::TenantDb {
    /// Both of SeaORM's traits have a method of that name.
    fn get_database_backend_of(&self) -> sea_orm::DbBackend {
        ConnectionTrait::get_database_backend(self)
    }
}

#[tokio::test]
async fn with_isolation_off_the_same_two_tenants_meet() {
    let kitchen = Kitchen::with(|settings| settings.isolate = false).await;
    kitchen.database.shared().execute_unprepared(super::TABLES).await.unwrap();
    kitchen.database.provision(&id("acme")).await.unwrap();
    bake(&kitchen.handle("acme"), "pie").await;
    assert_eq!(count(&kitchen.handle("globex")).await, 1);
    assert!(kitchen.database.tenants_on_disk().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_unqualified_name_is_the_tenants_own_first_and_then_the_shared_one() {
    let kitchen = Kitchen::new().await;
    let shared = kitchen.database.shared();
    shared.execute_unprepared(super::TABLES).await.unwrap();
    bake(&shared, "everybodys").await;
    kitchen.database.provision(&id("acme")).await.unwrap();
    let acme = kitchen.handle("acme");

    let read = cake::Entity::find().one(&acme).await.unwrap().unwrap();
    assert_eq!(read.name, "everybodys");
    bake(&shared, "later").await;
    assert_eq!(count(&acme).await, 2, "what is committed to the shared tables is seen at once");

    acme.execute_unprepared(super::TABLES).await.unwrap();
    assert_eq!(
        count(&acme).await,
        0,
        "a table of one's own hides the shared one, also from prepared statements"
    );
    bake(&acme, "own").await;
    let qualified =
        Query::select().column(cake::Column::Name).from((Alias::new("shared"), cake::Entity)).to_owned();
    assert_eq!(acme.query_all(&qualified).await.unwrap().len(), 2);
    let mixed = Statement::from_string(
        acme.get_database_backend_of(),
        "SELECT * FROM shared.cake s JOIN cake c ON c.id = s.id",
    );
    assert_eq!(acme.query_all_raw(mixed).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_tenant_cannot_write_to_the_shared_tables() {
    let kitchen = Kitchen::new().await;
    let shared = kitchen.database.shared();
    shared.execute_unprepared(super::TABLES).await.unwrap();
    bake(&shared, "everybodys").await;
    kitchen.database.provision(&id("acme")).await.unwrap();
    let acme = kitchen.handle("acme");
    for text in [
        "INSERT INTO cake (name, price) VALUES ('mine', 1)",
        "INSERT INTO shared.cake (name, price) VALUES ('mine', 1)",
        "UPDATE cake SET price = 9",
        "DELETE FROM cake",
        "DROP TABLE cake",
        "ALTER TABLE cake ADD COLUMN mine TEXT",
        "ALTER TABLE cake RENAME TO mine",
        "CREATE INDEX mine ON cake (price)",
        "CREATE TABLE shared.mine (a)",
        "CREATE TRIGGER shared.mine AFTER INSERT ON cake BEGIN DELETE FROM cake; END",
        "PRAGMA shared.user_version = 7",
    ] {
        assert!(acme.execute_unprepared(text).await.is_err(), "{text} must fail");
        let transaction = acme.begin().await.unwrap();
        assert!(transaction.execute_unprepared(text).await.is_err(), "{text} must fail in a transaction");
    }
    assert!(new("mine", 1).insert(&acme).await.is_err());
    assert_eq!(cake::Entity::find().all(&shared).await.unwrap().len(), 1);
    let columns =
        Statement::from_string(acme.get_database_backend_of(), "SELECT * FROM pragma_table_info('cake')");
    assert_eq!(shared.query_all_raw(columns).await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_tenant_public_works_on_the_shared_tables() {
    let kitchen = Kitchen::new().await;
    kitchen.database.shared().execute_unprepared(super::TABLES).await.unwrap();
    bake(&kitchen.handle("public"), "pie").await;
    assert_eq!(count(&kitchen.database.shared()).await, 1);
    assert!(kitchen.database.exists(&id("public")).await.unwrap());
    let removed = kitchen.database.remove(&id("public"), &()).await;
    assert!(matches!(removed, Err(DatabaseError::NotRemovable { .. })), "{removed:?}");
}

#[tokio::test]
async fn a_write_that_a_foreign_key_forbids_is_an_error_also_with_returning() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    let orphan = topping::ActiveModel { cake_id: Set(99), name: Set("cream".into()), ..Default::default() };
    assert!(orphan.clone().insert(&acme).await.is_err());
    let transaction = acme.begin().await.unwrap();
    assert!(orphan.clone().insert(&transaction).await.is_err());
    transaction.commit().await.unwrap();
    assert_eq!(topping::Entity::find().count(&acme).await.unwrap(), 0);
    // A deferred one fails at the commit, which is the end of the statement.
    acme.execute_unprepared(
        "DROP TABLE topping;
         CREATE TABLE topping (id INTEGER PRIMARY KEY, cake_id INTEGER NOT NULL REFERENCES cake (id) DEFERRABLE INITIALLY DEFERRED, name TEXT)",
    )
    .await
    .unwrap();
    assert!(orphan.insert(&acme).await.is_err());
    assert_eq!(topping::Entity::find().count(&acme).await.unwrap(), 0);
}

#[tokio::test]
async fn a_handle_is_send_and_cheap_and_moves_into_a_task() {
    let kitchen = Kitchen::new().await;
    let acme = kitchen.tenant("acme").await;
    let moved = acme.clone();
    tokio::spawn(async move {
        let transaction = moved.begin().await.unwrap();
        bake(&transaction, "pie").await;
        let names: Vec<_> = {
            let rows = StreamTrait::stream(
                &transaction,
                &Query::select().column(cake::Column::Name).from(cake::Entity).to_owned(),
            );
            rows.await.unwrap().try_collect().await.unwrap()
        };
        assert_eq!(names.len(), 1);
        transaction.commit().await.unwrap();
    })
    .await
    .unwrap();
    assert_eq!(count(&acme).await, 1);
    assert!(size_of_val(&acme) <= 4 * size_of::<usize>());
}

#[tokio::test]
async fn no_handle_of_a_plugin_reads_the_directory() {
    let kitchen = Kitchen::new().await;
    let directory = kitchen.database.directory();
    directory.execute_unprepared("CREATE TABLE xcore_tenants (id TEXT)").await.unwrap();
    directory.execute_unprepared("INSERT INTO xcore_tenants VALUES ('globex')").await.unwrap();
    let acme = kitchen.tenant("acme").await;
    let public = kitchen.handle("public");
    let central = kitchen.database.shared();
    for name in ["xcore_tenants", "shared.xcore_tenants", "main.xcore_tenants", "directory.xcore_tenants"] {
        let read = format!("SELECT id FROM {name}");
        assert!(acme.execute_unprepared(&read).await.is_err(), "a tenant read {name}");
        assert!(public.execute_unprepared(&read).await.is_err(), "`public` read {name}");
        assert!(central.execute_unprepared(&read).await.is_err(), "central read {name}");
    }
}
