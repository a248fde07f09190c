//! Hands a statement to the driver, and reads what went wrong.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sea_orm::{DbErr, ExecResult, QueryResult, RuntimeErr};
use sea_query_sqlx::SqlxValues;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Postgres};

use super::switch::Kept;
#[cfg(feature = "schema-sync")]
use crate::db::backend::DriverRow;
use crate::db::backend::{Origin, Sql};

/// A statement with its values.
fn query(sql: &Sql, kept: Kept) -> Query<'static, Postgres, SqlxValues> {
    let values = sql.values.clone().unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(kept.text(&sql.text)), SqlxValues(values)).persistent(kept.is_kept())
}

pub(super) async fn execute(
    connection: &mut PgConnection,
    sql: &Sql,
    kept: impl Into<Kept>,
) -> Result<ExecResult, DbErr> {
    let result = match sql.origin {
        Origin::Script => connection.execute(AssertSqlSafe(sql.text.clone())).await,
        Origin::Built | Origin::Raw => query(sql, kept.into()).execute(connection).await,
    };
    result.map(ExecResult::from).map_err(exec_error)
}

pub(super) async fn query_one(
    connection: &mut PgConnection,
    sql: &Sql,
    kept: impl Into<Kept>,
) -> Result<Option<QueryResult>, DbErr> {
    let row = query(sql, kept.into()).fetch_optional(connection).await;
    row.map(|row| row.map(QueryResult::from)).map_err(query_error)
}

pub(super) async fn query_all(
    connection: &mut PgConnection,
    sql: &Sql,
    kept: impl Into<Kept>,
) -> Result<Vec<QueryResult>, DbErr> {
    let rows = query(sql, kept.into()).fetch_all(connection).await.map_err(query_error)?;
    Ok(rows.into_iter().map(QueryResult::from).collect())
}

/// The rows as the driver has them.
#[cfg(feature = "schema-sync")]
pub(super) async fn driver_rows(
    connection: &mut PgConnection,
    sql: &Sql,
    kept: impl Into<Kept>,
) -> Result<Vec<DriverRow>, DbErr> {
    let rows = query(sql, kept.into()).fetch_all(connection).await.map_err(query_error)?;
    Ok(rows.into_iter().map(DriverRow::Postgres).collect())
}

pub(super) fn stream<'c>(
    connection: &'c mut PgConnection,
    sql: &Sql,
    kept: impl Into<Kept>,
) -> BoxStream<'c, Result<QueryResult, DbErr>> {
    let rows = query(sql, kept.into()).fetch(connection);
    rows.map(|row| row.map(QueryResult::from).map_err(query_error)).boxed()
}

pub(super) fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

fn has_code(error: &DbErr, wanted: &str) -> bool {
    driver_error(error)
        .and_then(sqlx::Error::as_database_error)
        .is_some_and(|error| error.code().is_some_and(|code| code == wanted))
}

/// Whether a prepared statement has outlived the tables that it was prepared for. Nothing of it was run.
pub(super) fn is_stale_plan(error: &DbErr) -> bool {
    // `feature_not_supported` has no code of its own for it.
    has_code(error, "0A000") && error.to_string().contains("cached plan must not change result type")
}

/// Whether something was not found by its name: a table, a column, a function or operator (or which of them), a type, a schema. Nothing of the
/// statement was done.
pub(super) fn is_unknown_name(error: &DbErr) -> bool {
    ["42P01", "42703", "42883", "42704", "42725", "3F000"].iter().any(|code| has_code(error, code))
}

/// Whether a table was not found, which may be because the schema is gone.
pub(super) fn is_undefined_table(error: &DbErr) -> bool {
    has_code(error, "42P01")
}

/// Whether a statement was refused because it cannot be part of a transaction, or not behind its first statement.
pub(super) fn is_active_transaction(error: &DbErr) -> bool {
    has_code(error, "25001")
}

/// Whether a savepoint was refused because no transaction is open.
pub(super) fn is_no_transaction(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().is_some_and(|code| code == "25P01"))
}

/// Whether a connection cannot be used after this.
pub(super) fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
            true
        }
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        }
        _ => false,
    }
}

pub(super) fn is_broken_by(error: &DbErr) -> bool {
    driver_error(error).is_some_and(is_broken)
}

/// Whether a state of the server is likely to pass: connection lost, out of resources, shutting down or starting, a lock
/// that was not free in time, a statement that was cancelled or took too long, a deadlock or a failed serialisation
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(in crate::db) fn is_passing(code: &str) -> bool {
    code.starts_with("08")
        || code.starts_with("53")
        || code.starts_with("57P")
        || matches!(code, "55P03" | "57014" | "40001" | "40P01")
}

/// Whether a standby server has cancelled a read, because it could not take over what the primary did otherwise.
pub(super) fn is_conflict_with_recovery(error: &DbErr) -> bool {
    has_code(error, "40001") || has_code(error, "40P01")
}
