//! Hands a statement to the driver.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sea_orm::{DbErr, ExecResult, QueryResult, RuntimeErr};
use sea_query_sqlx::SqlxValues;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor, Sqlite, SqliteConnection};

#[cfg(feature = "schema-sync")]
use crate::db::backend::DriverRow;
use crate::db::backend::{Origin, Sql};

fn query(sql: Sql) -> Query<'static, Sqlite, SqlxValues> {
    let values = sql.values.unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(sql.text), SqlxValues(values))
}

pub(super) async fn execute(connection: &mut SqliteConnection, sql: Sql) -> Result<ExecResult, DbErr> {
    let result = match sql.origin {
        Origin::Script => connection.execute(AssertSqlSafe(sql.text)).await,
        Origin::Built | Origin::Raw => query(sql).execute(connection).await,
    };
    result.map(ExecResult::from).map_err(exec_error)
}

/// The first row. `reads` says that the statement writes nothing.
///
/// The driver ends a statement behind the first row when it is asked for one, and drops the error of that end. For a
/// statement that writes, the end is its commit: an `INSERT .. RETURNING` that a foreign key forbids would look done.
/// So a writing statement is always run to its end.
pub(super) async fn query_one(
    connection: &mut SqliteConnection,
    sql: Sql,
    reads: bool,
) -> Result<Option<QueryResult>, DbErr> {
    let query = query(sql);
    let row = if reads {
        query.fetch_optional(connection).await
    } else {
        query.fetch_all(connection).await.map(|rows| rows.into_iter().next())
    };
    row.map(|row| row.map(QueryResult::from)).map_err(query_error)
}

pub(super) async fn query_all(
    connection: &mut SqliteConnection,
    sql: Sql,
) -> Result<Vec<QueryResult>, DbErr> {
    let rows = query(sql).fetch_all(connection).await.map_err(query_error)?;
    Ok(rows.into_iter().map(QueryResult::from).collect())
}

/// The rows as the driver has them.
#[cfg(feature = "schema-sync")]
pub(super) async fn driver_rows(
    connection: &mut SqliteConnection,
    sql: Sql,
) -> Result<Vec<DriverRow>, DbErr> {
    let rows = query(sql).fetch_all(connection).await.map_err(query_error)?;
    Ok(rows.into_iter().map(DriverRow::Sqlite).collect())
}

pub(super) fn stream(
    connection: &mut SqliteConnection,
    sql: Sql,
) -> BoxStream<'_, Result<QueryResult, DbErr>> {
    let rows = query(sql).fetch(connection);
    rows.map(|row| row.map(QueryResult::from).map_err(query_error)).boxed()
}

/// Runs a statement of the framework's own.
pub(super) async fn control(connection: &mut SqliteConnection, text: impl Into<String>) -> Result<(), DbErr> {
    let statement = AssertSqlSafe(text.into());
    sqlx::query(statement).execute(connection).await.map(drop).map_err(exec_error)
}

fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}
