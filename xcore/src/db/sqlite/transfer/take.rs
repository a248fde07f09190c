//! Takes rows into a file that migrations have made.

use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row, SqliteConnection};

use super::row::{self, Malformed, Value};
use super::{Found, has_sequences, quoted, run, tables};
use crate::db::DatabaseError;
use crate::db::backend::Place;
use crate::db::sqlite::service::Sqlite;
use crate::db::transfer::{
    Expected, Inlet, PIECE, Piece, Sequence, Table, Taken, check_count, match_columns, refused,
};
use crate::tenancy::TenantId;

/// What runs by itself has run where the rows come from. It is made again from what this file says of it.
const TRIGGERS: &str =
    "SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND sql IS NOT NULL ORDER BY rowid";

/// Rows that name others which are not there.
const BROKEN: &str = "SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 1";

/// How many values one statement brings.
const VALUES: usize = 900;

impl Sqlite {
    pub(in crate::db::sqlite) async fn take_rows(
        &self,
        id: &TenantId,
        mut rows: Inlet,
    ) -> Result<Taken, DatabaseError> {
        if self.is_shared(id) {
            return Err(refused(id, "it works on the shared tables, which are not its own"));
        }
        let user = self.trusted(Place::Tenant(id)).await?;
        let file = user.file();
        let _writer = file.writer.acquire().await.map_err(|_closed| DatabaseError::Closed)?;
        file.target.check()?;
        // Rows come in no order, so keys are looked at when all are there.
        let options = file.target.options().foreign_keys(false).disable_statement_logging();
        let mut connection = options.connect().await?;
        let taken = take(&mut connection, id, &mut rows).await;
        file.schema_changed();
        // Undoes what was not committed.
        if let Err(error) = connection.close().await {
            tracing::debug!(%error, "the connection of an import did not close in order");
        }
        taken
    }
}

async fn take(
    connection: &mut SqliteConnection,
    id: &TenantId,
    rows: &mut Inlet,
) -> Result<Taken, DatabaseError> {
    run(connection, "BEGIN IMMEDIATE").await?;
    let mut triggers: Vec<String> = Vec::new();
    for row in connection.fetch_all(TRIGGERS).await? {
        let name: String = row.try_get(0)?;
        run(connection, format!("DROP TRIGGER main.{}", quoted(&name))).await?;
        triggers.push(row.try_get(1)?);
    }
    let tables: Vec<Found> =
        tables(connection, id).await?.into_iter().filter(|table| !table.is_of_the_framework()).collect();
    for table in &tables {
        // What migrations have written is among the rows that come.
        run(connection, format!("DELETE FROM {}", table.quoted())).await?;
    }
    let names: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
    let has_sequences = has_sequences(connection).await?;
    if has_sequences {
        run(connection, "DELETE FROM main.sqlite_sequence").await?;
    }
    let mut tables = Expected::new("table", tables.into_iter().map(|table| (table.name.clone(), table)));
    let mut sequences: Vec<Sequence> = Vec::new();
    let mut taken = Taken::default();
    loop {
        match rows.next().await? {
            Piece::Begin(_) => {}
            Piece::Table(table) => {
                let own = tables.take(id, &table.name)?;
                taken.rows += take_table(connection, id, &table, &own, rows).await?;
                taken.tables += 1;
            }
            // Set at the end: rows that come in raise them.
            Piece::Sequence(sequence) if has_sequences && names.contains(&sequence.name) => {
                sequences.push(sequence)
            }
            Piece::Sequence(Sequence { name, .. }) => {
                return Err(refused(id, format!("its table {name:?} counts, which here it does not")));
            }
            Piece::Done => break,
            Piece::Rows(_) | Piece::End(_) => return Err(refused(id, "rows came that belong to no table")),
        }
    }
    tables.finish(id)?;
    for sequence in sequences {
        // A table has at most one row there.
        for text in [
            "DELETE FROM main.sqlite_sequence WHERE name = ?1",
            "INSERT INTO main.sqlite_sequence (name, seq) VALUES (?1, ?2)",
        ] {
            sqlx::query(text).bind(&sequence.name).bind(sequence.last).execute(&mut *connection).await?;
        }
    }
    if let Some(row) = connection.fetch_optional(BROKEN).await? {
        let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        return Err(refused(
            id,
            format!("a row of its table {table:?} names one of {parent:?} that is not there"),
        ));
    }
    for trigger in triggers {
        run(connection, trigger).await?;
    }
    run(connection, "COMMIT").await?;
    Ok(taken)
}

/// Gives how many rows came.
async fn take_table(
    connection: &mut SqliteConnection,
    id: &TenantId,
    table: &Table,
    own: &Found,
    rows: &mut Inlet,
) -> Result<u64, DatabaseError> {
    let columns = match_columns(id, table, &own.columns)?;
    // SQLite makes no table whose columns are all computed.
    let width = columns.len().max(1);
    let insert = |rows: usize| {
        let row = format!("({})", vec!["?"; width].join(", "));
        let all = vec![row; rows].join(", ");
        format!("INSERT INTO {} ({}) VALUES {all}", own.quoted(), columns.join(", "))
    };
    let at_once = (VALUES / width).max(1);
    let (of_many, of_one) = (insert(at_once), insert(1));
    let malformed =
        |Malformed| refused(id, format!("the rows of its table {:?} are damaged: {Malformed}", table.name));
    let unfit = |error: sqlx::Error| match &error {
        sqlx::Error::Database(said) => {
            refused(id, format!("the rows of its table {:?} do not fit: {said}", table.name))
        }
        _ => error.into(),
    };
    let (mut taken, mut bytes, mut values, mut size) = (0, Vec::new(), Vec::new(), 0);
    let sent = loop {
        match rows.next().await? {
            Piece::Rows(more) => {
                bytes.extend(more);
                let mut rest = bytes.as_slice();
                let mut before = rest.len();
                while let Some(value) = row::read(&mut rest).map_err(malformed)? {
                    values.push(value);
                    size += before - rest.len();
                    before = rest.len();
                    if values.len() == at_once * width {
                        insert_rows(connection, &of_many, values.drain(..)).await.map_err(unfit)?;
                        taken += u64::try_from(at_once).unwrap_or(u64::MAX);
                        size = 0;
                    } else if size >= PIECE && values.len().is_multiple_of(width) {
                        // Large rows are not gathered.
                        taken += insert_each(connection, &of_one, width, &mut values).await.map_err(unfit)?;
                        size = 0;
                    }
                }
                let read = bytes.len() - rest.len();
                bytes.drain(..read);
            }
            Piece::End(sent) => break sent,
            _ => return Err(refused(id, "the rows of a table have no end")),
        }
    };
    if !bytes.is_empty() || !values.len().is_multiple_of(width) {
        return Err(malformed(Malformed));
    }
    taken += insert_each(connection, &of_one, width, &mut values).await.map_err(unfit)?;
    check_count(id, &table.name, sent, taken)?;
    Ok(taken)
}

/// Row by row; gives how many they were.
async fn insert_each(
    connection: &mut SqliteConnection,
    text: &str,
    width: usize,
    values: &mut Vec<Value>,
) -> Result<u64, sqlx::Error> {
    let mut inserted = 0;
    let mut left = values.drain(..).peekable();
    while left.peek().is_some() {
        insert_rows(connection, text, left.by_ref().take(width)).await?;
        inserted += 1;
    }
    Ok(inserted)
}

async fn insert_rows(
    connection: &mut SqliteConnection,
    text: &str,
    values: impl Iterator<Item = Value>,
) -> Result<(), sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        row::bind(value, &mut arguments)?;
    }
    sqlx::query_with(AssertSqlSafe(text.to_owned()), arguments).execute(connection).await.map(drop)
}
