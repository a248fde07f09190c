//! Tenants with more in their schema than the server has locks for.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::{Kitchen, Server, TABLES, id};
use crate::db::DbRole;
use crate::db::postgres::dropping::{drop_schema, drop_within};

/// More than the server has locks for, by far.
const TABLES_OF_LARGE: usize = 3_000;

/// A server with few locks: a tenth of what is usual for a third of the sessions.
fn frugal() -> &'static Server {
    Box::leak(Box::new(Server::with("-c max_locks_per_transaction=10 -c max_connections=40")))
}

/// A tenant whose tables are tied together by keys to one of them, with views, functions and types, each by the hundreds.
async fn fill(beside: &mut PgConnection, tenant: &str, tables: usize) {
    let mut run = async |text: String| beside.execute(AssertSqlSafe(text)).await.map(drop).unwrap();
    run(format!("CREATE TABLE \"{tenant}\".hub (id serial PRIMARY KEY)")).await;
    // Few at a time: the server has no more locks to make them than to drop them.
    for first in (0..tables).step_by(20) {
        let made = (first..first + 20).map(|n| {
            let key = if n % 3 == 0 { format!(" REFERENCES \"{tenant}\".hub (id)") } else { String::new() };
            format!(
                "CREATE TABLE \"{tenant}\".\"T{n}\" (id serial PRIMARY KEY, hub integer{key}, name text NOT NULL DEFAULT '' UNIQUE);"
            )
        });
        run(made.collect()).await;
    }
    for first in (0..300).step_by(20) {
        let made = (first..first + 20).map(|n| {
            format!(
                "CREATE FUNCTION \"{tenant}\".f{n}(integer, text) RETURNS integer LANGUAGE sql AS 'SELECT 1'; \
                 CREATE TYPE \"{tenant}\".e{n} AS ENUM ('a'); \
                 CREATE VIEW \"{tenant}\".v{n} AS SELECT * FROM \"{tenant}\".\"T{n}\"; \
                 CREATE SEQUENCE \"{tenant}\".s{n};"
            )
        });
        run(made.collect()).await;
    }
    // Views on views, and a table in parts, one of which is what a key refers to.
    run(format!(
        "CREATE VIEW \"{tenant}\".above AS SELECT * FROM \"{tenant}\".v0; \
         CREATE TABLE \"{tenant}\".parted (at integer PRIMARY KEY, hub integer REFERENCES \"{tenant}\".hub (id)) PARTITION BY RANGE (at)"
    ))
    .await;
    for n in 0..40 {
        run(format!(
            "CREATE TABLE \"{tenant}\".part{n} PARTITION OF \"{tenant}\".parted FOR VALUES FROM ({n}) TO ({n} + 1)"
        ))
        .await;
    }
    run(format!("ALTER TABLE \"{tenant}\".\"T1\" ADD FOREIGN KEY (hub) REFERENCES \"{tenant}\".part7 (at)"))
        .await;
}

async fn objects(beside: &mut PgConnection, tenant: &str) -> i64 {
    let text = format!("SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('\"{tenant}\"')");
    beside.fetch_one(AssertSqlSafe(text)).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_with_thousands_of_tables_is_dropped_on_a_server_with_few_locks() {
    let kitchen = Kitchen::on(frugal(), |settings| settings.db_role = DbRole::SetRole).await;
    let acme = id("acme");
    kitchen.database.provision(&acme).await.unwrap();
    kitchen.database.provision(&id("globex")).await.unwrap();
    let mut beside = kitchen.beside().await;
    fill(&mut beside, "acme", TABLES_OF_LARGE).await;
    beside.execute(AssertSqlSafe(TABLES.replace("cake", "globex.cake"))).await.unwrap();
    let there = objects(&mut beside, "acme").await;
    assert!(there > 4 * i64::try_from(TABLES_OF_LARGE).unwrap(), "{there}");

    // All at once does not fit, or this test would show nothing.
    let refused = beside.execute("DROP SCHEMA acme CASCADE").await.unwrap_err().to_string();
    assert!(refused.contains("out of shared memory"), "{refused}");
    assert_eq!(objects(&mut beside, "acme").await, there);

    // Cut off in the middle, as by a kill; the rest is there for the next run.
    let mut cut = kitchen.beside().await;
    let number: i32 = cut.fetch_one("SELECT pg_backend_pid()").await.unwrap().get(0);
    let cutting = async {
        while objects(&mut beside, "acme").await > there / 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        beside.execute(AssertSqlSafe(format!("SELECT pg_terminate_backend({number})"))).await.unwrap();
    };
    let (dropped, ()) = tokio::join!(drop_schema(&mut cut, "acme"), cutting);
    assert!(dropped.is_err());
    let left = objects(&mut beside, "acme").await;
    assert!(left > 0 && left < there, "{left} of {there}");

    let begun = std::time::Instant::now();
    let claim = kitchen.database.claim(&acme, true).await.unwrap();
    kitchen.database.remove(&acme, claim.as_ref()).await.unwrap();
    println!("{there} relations, {left} of them left after the cut; the rest in {:?}", begun.elapsed());
    assert!(!kitchen.database.exists(&acme).await.unwrap());
    assert_eq!(objects(&mut beside, "acme").await, 0);
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'xcore\\_%\\_acme'";
    assert_eq!(beside.fetch_one(roles).await.unwrap().get::<i64, _>(0), 0);
    assert!(objects(&mut beside, "globex").await > 0, "another tenant keeps its own");

    // Where the server has less room than was thought, it goes on with less.
    kitchen.database.provision(&id("initech")).await.unwrap();
    fill(&mut beside, "initech", 400).await;
    drop_within(&mut beside, "initech", 20_000).await.unwrap();
    assert_eq!(objects(&mut beside, "initech").await, 0);
}
