//! Sends the rows of a schema.

use std::time::Instant;

use futures_util::StreamExt;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::{APPLIED, Found, begin, check_portable, list, sequences, tables};
use crate::db::DatabaseError;
use crate::db::postgres::Postgres;
use crate::db::postgres::claim;
use crate::db::postgres::connection::Connection;
use crate::db::postgres::schema::{self, lock_key};
use crate::db::postgres::target::{Role, Target};
use crate::db::transfer::{Applied, Outlet, Piece, Sequence, Table, refused};
use crate::tenancy::TenantId;

impl Postgres {
    pub(in crate::db::postgres) async fn send_rows(
        &self,
        id: &TenantId,
        mut out: Outlet,
    ) -> Result<(), DatabaseError> {
        if self.is_shared(id) {
            return Err(refused(id, "it works on the shared tables, which are not its own"));
        }
        let target = Target::Tenant(*id);
        if self.pool.is_closed() {
            return Err(DatabaseError::Closed);
        }
        // It takes no turn among the operators: a clone would have one and wait for another.
        let mut operator = Connection::open(&self.options, Instant::now()).await?;
        // Given free with the session. No migration changes the tables meanwhile.
        claim::wait_for(operator.raw(), lock_key(target)).await?;
        let sent = send(operator.raw(), id, &self.roles.role(target), &mut out).await;
        operator.close().await;
        sent
    }
}

async fn send(
    session: &mut PgConnection,
    id: &TenantId,
    role: &Role,
    out: &mut Outlet,
) -> Result<(), DatabaseError> {
    match schema::look(session, id).await? {
        schema::Found::Tenant => {}
        schema::Found::Nothing => return Err(DatabaseError::Missing { tenant: *id }),
        schema::Found::Foreign => return Err(DatabaseError::Odd { tenant: *id, problem: schema::FOREIGN }),
    }
    let begin = begin("ISOLATION LEVEL REPEATABLE READ READ ONLY", id, role);
    session.execute(AssertSqlSafe(begin)).await?;
    check_portable(session, id).await?;
    let tables = tables(session, id).await?;
    if !tables.is_empty() {
        // Nobody drops or rewrites a table that is still to be read.
        let all: Vec<&str> = tables.iter().map(|table| table.quoted.as_str()).collect();
        session
            .execute(AssertSqlSafe(format!("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", all.join(", ONLY "))))
            .await?;
    }
    out.send(Piece::Begin(applied(session, &tables).await?)).await?;
    for table in tables.iter().filter(|table| !table.is_of_the_framework()) {
        send_table(session, table, out).await?;
    }
    // After the rows: a sequence is never behind the numbers that they have.
    for (name, quoted) in sequences(session, id).await? {
        let text = format!("SELECT last_value, is_called FROM {quoted}");
        let row = session.fetch_one(AssertSqlSafe(text)).await?;
        let (last, called) = (row.try_get_unchecked(0)?, row.try_get_unchecked(1)?);
        out.send(Piece::Sequence(Sequence { name, last, called })).await?;
    }
    session.execute("COMMIT").await?;
    Ok(out.send(Piece::Done).await?)
}

async fn applied(session: &mut PgConnection, tables: &[Found]) -> Result<Applied, DatabaseError> {
    let mut applied = Applied::new();
    for table in tables {
        let Some(plugin) = table.name.strip_prefix(APPLIED) else { continue };
        let text = format!("SELECT version::text FROM {} ORDER BY version COLLATE \"C\"", table.quoted);
        let rows = session.fetch_all(AssertSqlSafe(text)).await?;
        let names = rows.iter().map(|row| row.try_get_unchecked(0)).collect::<Result<_, _>>()?;
        applied.insert(plugin.to_owned(), names);
    }
    Ok(applied)
}

async fn send_table(
    session: &mut PgConnection,
    table: &Found,
    out: &mut Outlet,
) -> Result<(), DatabaseError> {
    let columns = table.columns.iter().map(|(name, _)| name.clone()).collect();
    out.send(Piece::Table(Table { name: table.name.clone(), columns })).await?;
    let columns = list(table.columns.iter().map(|(_, quoted)| quoted.as_str()));
    let mut rows = session.copy_out_raw(&format!("COPY {} {columns} TO STDOUT", table.quoted)).await?;
    let mut count = 0_u64;
    while let Some(bytes) = rows.next().await {
        let bytes = bytes?;
        // Each row ends with one, and a line end in a value is written as `\n`
        // (https://www.postgresql.org/docs/current/sql-copy.html, "Text Format").
        count += bytes.iter().fold(0, |count, byte| count + u64::from(*byte == b'\n'));
        out.rows(&bytes).await?;
    }
    drop(rows);
    Ok(out.send(Piece::End(count)).await?)
}
