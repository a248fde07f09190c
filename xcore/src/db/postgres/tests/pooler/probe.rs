//! The start behind a pooler.

use sqlx::{Executor, Row};

use super::super::Kitchen;
use super::{Behind, Pooler};
use crate::db::postgres::mutants::Mutant;
use crate::db::{Database, DatabaseError, DatabaseSettings};

fn unfit(refused: Result<(), DatabaseError>) -> &'static str {
    match refused {
        Err(DatabaseError::PoolerUnfit { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

async fn schemas(kitchen: &Kitchen) -> i64 {
    let text = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'xcore\\_probe%'";
    kitchen.beside().await.fetch_one(text).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_start_sees_that_one_tenant_reads_another() {
    for sessions in [1, 2, 4] {
        let behind = Behind::new(sessions).await;
        behind.pooled.probe().await.unwrap();
        behind.kitchen.pool().mutant.choose(Mutant::RemembersBehindAPooler);
        assert!(unfit(behind.pooled.probe().await).contains("another"));
        assert_eq!(schemas(&behind.kitchen).await, 0);
    }
}

#[tokio::test]
async fn what_a_killed_start_left_is_taken_away_and_several_may_start_at_once() {
    let behind = Behind::new(2).await;
    let left = "CREATE SCHEMA xcore_probe_a; CREATE TABLE xcore_probe_a.mark (owner text); \
         INSERT INTO xcore_probe_a.mark VALUES ('somebody')";
    behind.kitchen.sql(left).await;
    let (one, other) = tokio::join!(behind.pooled.probe(), behind.pooled.probe());
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    assert_eq!(schemas(&behind.kitchen).await, 0);
}

#[tokio::test]
async fn a_pooler_of_another_mode_is_refused_or_served() {
    let kitchen = Kitchen::new().await;
    let statement = Pooler::start(kitchen.server, "statement", 2);
    let refused = Database::open(statement.settings(&kitchen.settings, kitchen.server)).await.map(drop);
    assert!(unfit(refused).contains("pool_mode = transaction"));
    let session = Pooler::start(kitchen.server, "session", 8);
    let settings = DatabaseSettings { connections: 4, ..session.settings(&kitchen.settings, kitchen.server) };
    Database::open(settings).await.unwrap().close().await;
}

#[tokio::test]
async fn the_two_addresses_must_lead_to_one_database_and_one_of_them_to_the_server() {
    let (kitchen, elsewhere) = (Kitchen::new().await, Kitchen::new().await);
    let pooler = Pooler::start(kitchen.server, "transaction", 2);
    let settings = pooler.settings(&kitchen.settings, kitchen.server);
    let two = DatabaseSettings { direct_server: elsewhere.settings.server.clone(), ..settings.clone() };
    assert!(unfit(Database::open(two).await.map(drop)).contains("different databases"));
    let permissive = Pooler::ignoring(kitchen.server, "transaction", 2, "options, extra_float_digits");
    let through = permissive.settings(&kitchen.settings, kitchen.server).server;
    let both = DatabaseSettings { direct_server: through, ..settings };
    assert!(unfit(Database::open(both).await.map(drop)).contains("the server itself"));
}
