//! What processes are told of the directory.

use std::time::Duration;

use futures_util::StreamExt;
use sea_orm::sea_query::{Func, Query};
use sea_orm::{ConnectionTrait, TransactionTrait};
use tokio::time::timeout;

use super::Behind;
use crate::db::backend::DIRECTORY_CHANNEL;

#[tokio::test]
async fn changes_of_the_directory_are_told_past_a_pooler() {
    // A session that listens would be the only one.
    let behind = Behind::new(1).await;
    let directory = behind.kitchen.database.directory();
    let mut told = behind.kitchen.database.notices().unwrap();
    let listens = timeout(Duration::from_secs(10), told.next()).await;
    assert_eq!(listens, Ok(Some(())), "a session listens, and what was told before is lost");
    for _ in 0..3 {
        let change = directory.begin().await.unwrap();
        let notify = Func::cust("pg_notify").arg(DIRECTORY_CHANNEL).arg("");
        change.query_one(Query::select().expr(notify)).await.unwrap();
        assert!(timeout(Duration::from_millis(100), told.next()).await.is_err(), "told before the commit");
        change.commit().await.unwrap();
        assert_eq!(timeout(Duration::from_secs(10), told.next()).await, Ok(Some(())));
    }
}
