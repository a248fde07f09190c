//! Tries a pooler at the start of the process, with two tenants that do not exist, through the code that serves.
//!
//! They have schemas of their own, made and dropped over the server's own address. One process at a time tries, so what is found
//! there was left by one that was killed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use sea_orm::{DbErr, TransactionOptions};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use tokio::time::{sleep, timeout};

use super::super::claim::wait_for;
use super::super::connection::Connection;
use super::super::schema::lock_key;
use super::super::service::Postgres;
use super::super::target::Target;
use super::session::judge_alone;
use super::{Unit, Units};
use crate::db::DatabaseError;
use crate::db::backend::Sql;

const SCHEMAS: [&str; 2] = ["xcore_probe_a", "xcore_probe_b"];

/// How many connections try at once, and how often each.
const CONNECTIONS: usize = 8;
const ROUNDS: usize = 6;

/// How long other processes may take to try before this one.
const WAIT: Duration = Duration::from_secs(60);

/// How long a pooler may take to notice that its client has gone.
const NOTICE: Duration = Duration::from_secs(5);

pub(super) const DIRECT_IS_NOT: &str =
    "`direct_url` leads to a pooler as well; it must be the address of the server itself";
const SEES_ANOTHER: &str = "one tenant read or wrote the data of another through this pooler; it must be in transaction mode, where a transaction stays in one \
     session from its beginning to its end (`pool_mode = transaction` of PgBouncer)";
const REFUSES: &str = "a transaction was refused through this pooler; it must be in transaction mode (`pool_mode = transaction` of PgBouncer), and let \
     the user of `url` in";
const ELSEWHERE: &str = "`url` and `direct_url` lead to different databases; both must lead to the same one, `url` through the pooler";
const KEEPS: &str = "this pooler goes on with a session whose user went away inside of a transaction, with what he left in it; it must close such \
     a session with the server, as PgBouncer does";

fn unfit(problem: &'static str, error: DatabaseError) -> DatabaseError {
    match error {
        DatabaseError::Engine { source } => {
            DatabaseError::PoolerUnfit { problem, source: Some(Arc::clone(&source)) }
        }
        other => other,
    }
}

/// Makes sure that two tenants are apart behind this pooler.
pub(super) async fn probe(units: &Units, direct: &Postgres) -> Result<(), DatabaseError> {
    let (mut operator, _permit) = direct.operator().await?;
    let lock = wait_for(operator.raw(), lock_key(Target::Probe(SCHEMAS[0])));
    let waited = timeout(WAIT, lock).await;
    waited.map_err(|_late| DatabaseError::PoolerBusy { waited: WAIT })??;
    let tried = async {
        control(operator.raw(), &format!("{}; {}", drop_schemas(), create_schemas())).await?;
        are_apart(units, operator.raw()).await?;
        is_closed_when_abandoned(units, operator.raw()).await
    }
    .await;
    let dropped = control(operator.raw(), &drop_schemas()).await;
    Connection::close(operator).await;
    tried.and(dropped)
}

async fn control(connection: &mut PgConnection, text: &str) -> Result<(), DatabaseError> {
    connection.execute(AssertSqlSafe(text)).await?;
    Ok(())
}

fn create_schemas() -> String {
    SCHEMAS
        .map(|schema| format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.mark (owner text)"))
        .join("; ")
}

fn drop_schemas() -> String {
    // With a notice in the place of an error, when there is none.
    format!("DROP SCHEMA IF EXISTS {} CASCADE", SCHEMAS.join(", "))
}

/// Two tenants write and read at once, by themselves and in transactions.
async fn are_apart(units: &Units, beside: &mut PgConnection) -> Result<(), DatabaseError> {
    let connections = units.pool.limits.active.min(CONNECTIONS);
    // With one connection one after the other.
    let tries = (0..connections.max(2)).map(|n| write_and_read(units, SCHEMAS[n % 2]));
    let written = try_join_all(tries).await?;
    for schema in SCHEMAS {
        let text = format!("SELECT owner FROM {schema}.mark");
        let rows = beside.fetch_all(AssertSqlSafe(text)).await?;
        let expected: usize = written.iter().filter(|(of, _)| *of == schema).map(|(_, count)| count).sum();
        let own =
            rows.iter().filter(|row| row.try_get_unchecked::<&str, _>(0).is_ok_and(|owner| owner == schema));
        if own.count() != expected || rows.len() != expected {
            return Err(DatabaseError::PoolerUnfit { problem: SEES_ANOTHER, source: None });
        }
    }
    Ok(())
}

async fn write_and_read(units: &Units, schema: &'static str) -> Result<(&'static str, usize), DatabaseError> {
    for round in 0..ROUNDS {
        let mut unit = begin(units, schema).await?;
        run(&mut unit, &format!("INSERT INTO mark VALUES ('{schema}')")).await?;
        if round % 2 == 0 {
            commit(unit).await?;
            unit = begin(units, schema).await?;
        }
        look(&mut unit, schema).await?;
        commit(unit).await?;
    }
    Ok((schema, ROUNDS))
}

async fn begin(units: &Units, schema: &'static str) -> Result<Unit, DatabaseError> {
    match units.begin(None, Target::Probe(schema), &TransactionOptions::default()).await {
        // It was made a moment ago.
        Err(DatabaseError::OddShared { .. }) => {
            Err(DatabaseError::PoolerUnfit { problem: ELSEWHERE, source: None })
        }
        begun => begun.map_err(|error| unfit(REFUSES, error)),
    }
}

async fn commit(mut unit: Unit) -> Result<(), DatabaseError> {
    unit.commit().await.map_err(|error| unfit(SEES_ANOTHER, DatabaseError::of(error)))
}

async fn run(unit: &mut Unit, text: &str) -> Result<(), DatabaseError> {
    let sql = Sql::raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, text));
    let ran = async { unit.execute(&sql, judge_alone(&sql)?).await };
    // A table that is not found is not on the path, which should be set.
    ran.await.map(drop).map_err(|error: DbErr| unfit(SEES_ANOTHER, DatabaseError::of(error)))
}

/// All that it finds must be its own.
async fn look(unit: &mut Unit, schema: &str) -> Result<(), DatabaseError> {
    let sql =
        Sql::raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT owner FROM mark"));
    let rows = async { unit.query_all(&sql, judge_alone(&sql)?).await };
    let rows = rows.await.map_err(|error: DbErr| unfit(SEES_ANOTHER, DatabaseError::of(error)))?;
    let is_own =
        |row: &sea_orm::QueryResult| row.try_get_by_index::<String>(0).is_ok_and(|owner| owner == schema);
    if rows.is_empty() || !rows.iter().all(is_own) {
        return Err(DatabaseError::PoolerUnfit { problem: SEES_ANOTHER, source: None });
    }
    Ok(())
}

/// What was cut short is left to the pooler (I2), so it must close the session that it happened in.
async fn is_closed_when_abandoned(units: &Units, beside: &mut PgConnection) -> Result<(), DatabaseError> {
    let lock = lock_key(Target::Probe(SCHEMAS[1]));
    let mut unit = begin(units, SCHEMAS[1]).await?;
    run(&mut unit, &format!("SELECT pg_catalog.pg_advisory_lock({lock})")).await?;
    unit.abandon().await;
    let deadline = Instant::now() + NOTICE;
    loop {
        let text = format!("SELECT pg_catalog.pg_try_advisory_lock({lock})");
        if beside.fetch_one(AssertSqlSafe(text)).await?.try_get_unchecked::<bool, _>(0)? {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(DatabaseError::PoolerUnfit { problem: KEEPS, source: None });
        }
        sleep(Duration::from_millis(10)).await;
    }
}
