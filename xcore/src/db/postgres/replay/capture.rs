//! Captures the template as one script, and proves that it makes the same again.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::fingerprint::parts;
use super::template::TEMPLATE;
use crate::db::DatabaseError;
use crate::db::drift::differences;
use crate::db::postgres::target::NOBODY;

const QUERY: &str = include_str!("capture.sql");

/// A schema that is there within one transaction only, which is rolled back.
const SCRATCH: &str = "xcore_scratch";

/// A longer script is not kept in memory.
const LONGEST: usize = 8 * 1024 * 1024;

/// Why a phase is none: its text says what is in the template that no script makes.
const REFUSED: i32 = 0;
/// Queries whose answers are statements: for rows, and for where sequences stand.
const ROWS: [i32; 3] = [50, 51, 82];

/// Statements that make what the template holds, in a schema that the session's path begins with. They name no schema of a tenant.
pub(super) type Script = Arc<str>;

/// The script, or why there is none.
pub(super) async fn capture(session: &mut PgConnection) -> Result<Result<Script, String>, DatabaseError> {
    let first = match captured(session, TEMPLATE).await? {
        Ok(statements) => statements,
        Err(why) => return Ok(Err(why)),
    };
    let script = first.join(END);
    if script.contains(TEMPLATE) {
        return Ok(Err("what it makes would name the template's schema".to_owned()));
    }
    if script.len() > LONGEST {
        return Ok(Err(format!("it would be {} bytes long", script.len())));
    }
    let template = parts(session, TEMPLATE).await?;
    let begin = format!("BEGIN; CREATE SCHEMA {SCRATCH}; {}", in_schema(SCRATCH, &script));
    let proof = match session.execute(AssertSqlSafe(begin)).await {
        Err(error) if error.as_database_error().is_none() => return Err(error.into()),
        Err(error) => Ok(Err(format!("a second run of it failed: {error}"))),
        Ok(_) => {
            async {
                let made = parts(session, SCRATCH).await?;
                if let Some(difference) = differences(&made, &template).first() {
                    return Ok(Err(format!("what it makes differs: {difference}")));
                }
                match captured(session, SCRATCH).await? {
                    Ok(again) if rows_of(&again).eq(rows_of(&first)) => Ok(Ok(script.into())),
                    _ => Ok(Err("the rows that it writes differ".to_owned())),
                }
            }
            .await
        }
    };
    session.execute("ROLLBACK").await?;
    proof
}

/// The script, to be run in this schema within a transaction.
pub(super) fn in_schema(schema: &str, script: &str) -> String {
    // A function may name a table that comes after it.
    format!("SET LOCAL check_function_bodies = off; SET LOCAL search_path TO \"{schema}\", public; {script}")
}

/// Those that say what rows there are.
fn rows_of(statements: &[String]) -> impl Iterator<Item = &String> {
    const BEGIN: [&str; 3] = ["INSERT INTO ", "SELECT pg_catalog.setval(", "-- rows of "];
    statements.iter().filter(|text| BEGIN.iter().any(|begin| text.starts_with(begin)))
}

/// Ends a statement, also one that is a remark.
const END: &str = ";\n";

async fn captured(
    session: &mut PgConnection,
    schema: &str,
) -> Result<Result<Vec<String>, String>, DatabaseError> {
    session.execute(AssertSqlSafe(format!("SET search_path TO \"{schema}\""))).await?;
    let statements = statements(session, schema).await;
    session.execute(AssertSqlSafe(format!("SET search_path TO {NOBODY}"))).await?;
    statements
}

async fn statements(
    session: &mut PgConnection,
    schema: &str,
) -> Result<Result<Vec<String>, String>, DatabaseError> {
    let found = sqlx::query(QUERY).bind(schema).fetch_all(&mut *session).await?;
    let mut statements = Vec::new();
    for phase in found.chunk_by(|a, b| phase_of(a) == phase_of(b)) {
        let texts: Vec<String> = phase.iter().map(|row| row.try_get("text")).collect::<Result<_, _>>()?;
        match phase.first().and_then(phase_of) {
            Some(REFUSED) => return Ok(Err(texts.into_iter().next().unwrap_or_default())),
            Some(phase) if ROWS.contains(&phase) => {
                let all = format!(
                    "SELECT text FROM ({}) all_of_them (place, text) ORDER BY place",
                    texts.join(" UNION ALL ")
                );
                for row in session.fetch_all(AssertSqlSafe(all)).await? {
                    statements.extend(row.try_get::<Option<String>, _>(0)?);
                }
            }
            _ => statements.extend(texts),
        }
    }
    Ok(Ok(statements))
}

fn phase_of(row: &sqlx::postgres::PgRow) -> Option<i32> {
    row.try_get("phase").ok()
}
