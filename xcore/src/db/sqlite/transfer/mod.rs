//! Rows out of a tenant's file and into one.
//!
//! No file travels: a database file can hold triggers and views, and be made so that it harms who opens it.

mod row;
mod send;
mod take;

use sqlx::{AssertSqlSafe, Executor, Row, SqliteConnection};

use crate::db::DatabaseError;
use crate::db::transfer::refused;
use crate::tenancy::TenantId;

/// The tables of a file, and the columns that a row brings along: those that are computed are computed again.
const COLUMNS: &str = "
    SELECT t.name, c.name FROM pragma_table_list t JOIN pragma_table_xinfo(t.name, 'main') c
    WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden = 0
    ORDER BY t.name, c.cid";

/// What keeps rows in a way of its own.
const VIRTUAL: &str =
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'virtual' ORDER BY name LIMIT 1";

/// How the name of the table begins that holds the applied migrations of a plugin.
const APPLIED: &str = "xcore_migrations_";

/// Work that waits to be put in line; see `scheduler/outbox`.
const OUTBOX: &str = "xcore_outbox";

struct Found {
    name: String,
    /// Each with its quoted name.
    columns: Vec<(String, String)>,
}

impl Found {
    fn is_of_the_framework(&self) -> bool {
        // What waits in the outbox is done where it was asked for, and not a second time where the rows go.
        self.name.starts_with(APPLIED) || self.name == OUTBOX
    }

    fn quoted(&self) -> String {
        format!("main.{}", quoted(&self.name))
    }

    fn list(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|(_, quoted)| quoted.as_str()).collect();
        columns.join(", ")
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn tables(connection: &mut SqliteConnection, id: &TenantId) -> Result<Vec<Found>, DatabaseError> {
    if let Some(row) = connection.fetch_optional(VIRTUAL).await? {
        let name: String = row.try_get(0)?;
        return Err(refused(
            id,
            format!("its table {name:?} is a virtual one, whose rows cannot be read as they are kept"),
        ));
    }
    let mut tables: Vec<Found> = Vec::new();
    for row in connection.fetch_all(COLUMNS).await? {
        let (table, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let column = (column.clone(), quoted(&column));
        match tables.last_mut() {
            Some(last) if last.name == table => last.columns.push(column),
            _ => tables.push(Found { name: table, columns: vec![column] }),
        }
    }
    Ok(tables)
}

/// Where the numbers of `AUTOINCREMENT` stand, where a table has them.
async fn has_sequences(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let text = "SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'";
    Ok(connection.fetch_optional(text).await?.is_some())
}

async fn run(connection: &mut SqliteConnection, text: impl Into<String>) -> Result<(), sqlx::Error> {
    connection.execute(AssertSqlSafe(text.into())).await.map(drop)
}
