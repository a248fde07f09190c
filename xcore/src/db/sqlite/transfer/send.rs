//! Sends the rows of a file.

use futures_util::StreamExt;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row, SqliteConnection};

use super::{APPLIED, Found, has_sequences, row, run, tables};
use crate::db::DatabaseError;
use crate::db::backend::Place;
use crate::db::sqlite::service::Sqlite;
use crate::db::transfer::{Applied, Outlet, Piece, Sequence, Table, refused};
use crate::tenancy::TenantId;

impl Sqlite {
    pub(in crate::db::sqlite) async fn send_rows(
        &self,
        id: &TenantId,
        mut out: Outlet,
    ) -> Result<(), DatabaseError> {
        if self.is_shared(id) {
            return Err(refused(id, "it works on the shared tables, which are not its own"));
        }
        // Held until the end, so that the file is neither closed nor deleted meanwhile.
        let user = self.trusted(Place::Tenant(id)).await?;
        let target = &user.file().target;
        target.check()?;
        // A session of its own: the shared tables are not in sight.
        let mut connection = target.options().disable_statement_logging().connect().await?;
        let sent = send(&mut connection, id, &mut out).await;
        if let Err(error) = connection.close().await {
            tracing::debug!(%error, "the connection of an export did not close in order");
        }
        drop(user);
        sent
    }
}

async fn send(
    connection: &mut SqliteConnection,
    id: &TenantId,
    out: &mut Outlet,
) -> Result<(), DatabaseError> {
    // Writers go on beside a transaction that reads, and it sees nothing of what they do after its first statement
    // (https://www.sqlite.org/isolation.html).
    run(connection, "PRAGMA query_only = ON; BEGIN").await?;
    let tables = tables(connection, id).await?;
    out.send(Piece::Begin(applied(connection, &tables).await?)).await?;
    for table in tables.iter().filter(|table| !table.is_of_the_framework()) {
        send_table(connection, id, table, out).await?;
    }
    if has_sequences(connection).await? {
        let text = "SELECT name, seq FROM main.sqlite_sequence WHERE typeof(seq) = 'integer' ORDER BY name";
        for row in connection.fetch_all(text).await? {
            let (name, last): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            if !name.starts_with(APPLIED) {
                out.send(Piece::Sequence(Sequence { name, last, called: true })).await?;
            }
        }
    }
    run(connection, "COMMIT").await?;
    Ok(out.send(Piece::Done).await?)
}

async fn applied(connection: &mut SqliteConnection, tables: &[Found]) -> Result<Applied, DatabaseError> {
    let mut applied = Applied::new();
    for table in tables {
        let Some(plugin) = table.name.strip_prefix(APPLIED) else { continue };
        let text = format!("SELECT version FROM {} ORDER BY version", table.quoted());
        let rows = connection.fetch_all(AssertSqlSafe(text)).await?;
        applied.insert(plugin.to_owned(), rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?);
    }
    Ok(applied)
}

async fn send_table(
    connection: &mut SqliteConnection,
    id: &TenantId,
    table: &Found,
    out: &mut Outlet,
) -> Result<(), DatabaseError> {
    let columns = table.columns.iter().map(|(name, _)| name.clone()).collect();
    out.send(Piece::Table(Table { name: table.name.clone(), columns })).await?;
    let text = format!("SELECT {} FROM {}", table.list(), table.quoted());
    let mut rows = connection.fetch(AssertSqlSafe(text));
    let (mut count, mut bytes) = (0, Vec::new());
    while let Some(found) = rows.next().await {
        bytes.clear();
        let unreadable =
            |error| refused(id, format!("a row of its table {:?} cannot be read: {error}", table.name));
        row::write(&found?, &mut bytes).map_err(unreadable)?;
        out.rows(&bytes).await?;
        count += 1;
    }
    drop(rows);
    Ok(out.send(Piece::End(count)).await?)
}
