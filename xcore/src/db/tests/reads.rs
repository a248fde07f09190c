//! `read()`, which reads the tenant's own file here.

use futures_util::StreamExt;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, Statement, StreamTrait, TransactionTrait};

use super::{Kitchen, bake, cake, count};
use crate::db::DatabaseError;

fn raw(text: &str) -> Statement {
    Statement::from_string(DbBackend::Sqlite, text)
}

fn is_refused<T: std::fmt::Debug>(result: Result<T, DbErr>) -> bool {
    matches!(DatabaseError::find_in(&result.unwrap_err()), Some(DatabaseError::ReadOnly))
}

#[tokio::test]
async fn a_handle_that_reads_sees_its_tenant_and_writes_nothing() {
    let kitchen = Kitchen::new().await;
    let (acme, globex) = (kitchen.tenant("acme").await, kitchen.tenant("globex").await);
    bake(&acme, "tart").await;
    let read = acme.read();
    assert_eq!((count(&read).await, count(&globex.read()).await), (1, 0));
    let rows: Vec<_> = read.stream_raw(raw("SELECT name FROM cake")).await.unwrap().collect().await;
    assert_eq!(rows.len(), 1);
    // Not seen to be a read, and one all the same.
    assert!(read.query_one_raw(raw("PRAGMA user_version")).await.unwrap().is_some());

    assert!(is_refused(
        sea_orm::ActiveModelTrait::insert(
            cake::ActiveModel {
                name: sea_orm::ActiveValue::Set("x".to_owned()),
                price: sea_orm::ActiveValue::Set(1),
                ..Default::default()
            },
            &read
        )
        .await
    ));
    assert!(is_refused(read.execute_unprepared("DELETE FROM cake").await));
    assert!(is_refused(read.query_all_raw(raw("DELETE FROM cake RETURNING id")).await));
    let mut rows = read.stream_raw(raw("DELETE FROM cake RETURNING id")).await.unwrap();
    assert!(is_refused(rows.next().await.unwrap().map(drop)));
    drop(rows);
    let transaction = read.begin().await.unwrap();
    assert_eq!(cake::Entity::find().all(&transaction).await.unwrap().len(), 1);
    assert!(is_refused(transaction.execute_unprepared("DELETE FROM cake").await));
    transaction.rollback().await.unwrap();
    // The connection writes again for those who may.
    bake(&acme, "flan").await;
    assert_eq!(count(&read).await, 2);
}
