//! A connection that is pinned for several statements.

use std::time::Duration;

use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, Statement, TransactionOptions,
    TransactionTrait,
};

use super::{Kitchen, TABLES, bake, cake, count, id};
use crate::db::DatabaseError;
use crate::tenancy::Tenant;

async fn text<C: ConnectionTrait>(db: &C, sql: &str) -> String {
    let sql = Statement::from_string(DbBackend::Sqlite, sql);
    db.query_one_raw(sql).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn what_is_made_in_a_session_holds_until_its_end_and_no_longer() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let acme = kitchen.tenant("acme").await;
    bake(&acme, "pie").await;
    let session = acme.session().await.unwrap();
    session.execute_unprepared("CREATE TEMP TABLE top (id int)").await.unwrap();
    session.execute_unprepared("INSERT INTO top SELECT id FROM cake").await.unwrap();
    assert_eq!(text(&session, "SELECT CAST(count(*) AS TEXT) FROM top").await, "1");
    bake(&session, "tart").await;
    assert_eq!(text(&session, "SELECT CAST(last_insert_rowid() AS TEXT)").await, "2");
    assert!(session.execute_unprepared("ATTACH 'other.db' AS other").await.is_err(), "as everywhere");
    drop(session);
    let next = acme.session().await.unwrap();
    assert!(next.execute_unprepared("SELECT * FROM top").await.is_err());
    assert_eq!(count(&next).await, 2);
}

#[tokio::test]
async fn a_session_lets_others_write_between_its_statements_and_not_in_its_transactions() {
    let kitchen = Kitchen::with(|settings| settings.busy_timeout = Duration::from_millis(100)).await;
    let acme = kitchen.tenant("acme").await;
    let session = acme.session().await.unwrap();
    bake(&session, "one").await;
    bake(&acme, "two").await;
    let open = session.begin().await.unwrap();
    bake(&open, "three").await;
    let busy = cake::Entity::delete_many().exec(&acme).await.unwrap_err();
    assert!(DatabaseError::is_unavailable_in(&busy), "{busy}");
    open.commit().await.unwrap();
    bake(&acme, "four").await;
    let dropped = session.begin().await.unwrap();
    bake(&dropped, "five").await;
    drop(dropped);
    assert_eq!(count(&session).await, 4);
    let reads = TransactionOptions { access_mode: Some(AccessMode::ReadOnly), ..Default::default() };
    let reads = session.begin_with_options(reads).await.unwrap();
    bake(&acme, "six").await;
    reads.commit().await.unwrap();
    let open = session.execute_unprepared("BEGIN; DELETE FROM cake").await.unwrap_err();
    assert!(matches!(DatabaseError::find_in(&open), Some(DatabaseError::TransactionLeftOpen)), "{open}");
    assert_eq!(count(&session).await, 5, "and the session goes on");
}

#[tokio::test]
async fn a_session_sees_a_table_that_came_while_it_was_held() {
    let kitchen = Kitchen::new().await;
    let shared = kitchen.database.shared();
    shared.execute_unprepared(TABLES).await.unwrap();
    bake(&shared, "of all").await;
    kitchen.database.provision(&id("acme")).await.unwrap();
    let acme = kitchen.handle("acme");
    let session = acme.session().await.unwrap();
    assert_eq!(count(&session).await, 1, "it has no such table itself");
    acme.execute_unprepared(TABLES).await.unwrap();
    assert_eq!(count(&session).await, 0);
}

#[tokio::test]
async fn a_session_of_a_tenant_that_has_ended_serves_it_no_more() {
    let kitchen = Kitchen::new().await;
    kitchen.tenant("acme").await;
    let life = Tenant::admit(id("acme"), 1);
    let session = kitchen.database.tenant(&life).session().await.unwrap();
    assert_eq!(count(&session).await, 0);
    life.end();
    let ended = cake::Entity::find().count(&session).await.unwrap_err();
    assert!(matches!(DatabaseError::find_in(&ended), Some(DatabaseError::Missing { .. })), "{ended}");
}
