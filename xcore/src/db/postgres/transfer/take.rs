//! Takes rows into a schema that migrations have made.

use sqlx::postgres::PgCopyIn;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::{Found, begin, list, sequences, tables};
use crate::db::DatabaseError;
use crate::db::postgres::Postgres;
use crate::db::postgres::claim;
use crate::db::postgres::schema::{self, lock_key};
use crate::db::postgres::service::Doubts;
use crate::db::postgres::target::{Role, Target};
use crate::db::transfer::{Expected, Inlet, Piece, Taken, check_count, match_columns, refused};
use crate::tenancy::TenantId;

/// What is taken away while rows come in, and made again from what the catalog says of it: foreign keys, as rows come in no order, and
/// triggers, which have run where the rows come from. Both belong to the owner of the tables; no more rights are needed.
const AROUND: &str = "
    SELECT 1 AS phase, k.oid::bigint AS place,
           pg_catalog.format('ALTER TABLE %I.%I DROP CONSTRAINT %I', $1, c.relname, k.conname) AS before,
           pg_catalog.format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', $1, c.relname, k.conname, pg_catalog.pg_get_constraintdef(k.oid)) AS after
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1) AND k.contype = 'f' AND k.conparentid = 0
    UNION ALL
    SELECT 2, g.oid::bigint, pg_catalog.format('ALTER TABLE %I.%I DISABLE TRIGGER %I', $1, c.relname, g.tgname),
           pg_catalog.format('ALTER TABLE %I.%I ENABLE %s TRIGGER %I', $1, c.relname,
               CASE g.tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, g.tgname)
    FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
    WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1) AND c.relkind = 'r' AND NOT g.tgisinternal
      AND g.tgenabled <> 'D'
    ORDER BY 1, 2";

/// Materialized views that show something show the rows that have come.
const VIEWS: &str = "
    SELECT pg_catalog.format('REFRESH MATERIALIZED VIEW %I.%I', $1, c.relname) FROM pg_catalog.pg_class c
    WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1) AND c.relkind = 'm' AND c.relispopulated
    ORDER BY c.oid";

impl Postgres {
    pub(in crate::db::postgres) async fn take_rows(
        &self,
        id: &TenantId,
        mut rows: Inlet,
    ) -> Result<Taken, DatabaseError> {
        if self.is_shared(id) {
            return Err(refused(id, "it works on the shared tables, which are not its own"));
        }
        let target = Target::Tenant(*id);
        let (mut operator, _permit) = self.operator().await?;
        claim::wait_for(operator.raw(), lock_key(target)).await?;
        let _doubts = Doubts::of(&self.pool, target);
        let taken = take(operator.raw(), id, &self.roles.role(target), &mut rows).await;
        // Ends the transaction as well, when it was not committed.
        operator.close().await;
        taken
    }
}

async fn take(
    session: &mut PgConnection,
    id: &TenantId,
    role: &Role,
    rows: &mut Inlet,
) -> Result<Taken, DatabaseError> {
    if schema::look(session, id).await? != schema::Found::Tenant {
        return Err(DatabaseError::Missing { tenant: *id });
    }
    session.execute(AssertSqlSafe(begin("", id, role))).await?;
    let around = sqlx::query(AROUND).bind(id.as_str()).fetch_all(&mut *session).await?;
    for row in &around {
        session.execute(AssertSqlSafe(row.try_get::<String, _>("before")?)).await?;
    }
    let tables: Vec<Found> =
        tables(session, id).await?.into_iter().filter(|table| !table.is_of_the_framework()).collect();
    if !tables.is_empty() {
        // What migrations have written is among the rows that come.
        let all: Vec<&str> = tables.iter().map(|table| table.quoted.as_str()).collect();
        session.execute(AssertSqlSafe(format!("TRUNCATE ONLY {}", all.join(", ONLY ")))).await?;
    }
    let taken = take_all(session, id, tables, rows).await?;
    // What is checked at the end of a transaction would be in the way of the keys.
    session.execute("SET CONSTRAINTS ALL IMMEDIATE").await?;
    for row in &around {
        session.execute(AssertSqlSafe(row.try_get::<String, _>("after")?)).await?;
    }
    for row in sqlx::query(VIEWS).bind(id.as_str()).fetch_all(&mut *session).await? {
        session.execute(AssertSqlSafe(row.try_get::<String, _>(0)?)).await?;
    }
    session.execute("COMMIT").await?;
    Ok(taken)
}

async fn take_all(
    session: &mut PgConnection,
    id: &TenantId,
    tables: Vec<Found>,
    rows: &mut Inlet,
) -> Result<Taken, DatabaseError> {
    let mut tables = Expected::new("table", tables.into_iter().map(|table| (table.name.clone(), table)));
    let mut sequences = Expected::new("sequence", sequences(session, id).await?);
    let mut taken = Taken::default();
    loop {
        match rows.next().await? {
            Piece::Begin(_) => {}
            Piece::Table(table) => {
                let own = tables.take(id, &table.name)?;
                let columns = match_columns(id, &table, &own.columns)?;
                let columns = list(columns.iter().map(String::as_str));
                let text = format!("COPY {} {columns} FROM STDIN", own.quoted);
                let mut copy = session.copy_in_raw(&text).await?;
                let sent = match take_table(&mut copy, id, rows).await {
                    Ok(sent) => sent,
                    Err(problem) => {
                        // The first problem is the one to tell.
                        drop(copy.abort("the rows were cut short").await);
                        return Err(problem);
                    }
                };
                let count = copy.finish().await.map_err(|error| unfit(id, &table.name, error))?;
                check_count(id, &table.name, sent, count)?;
                taken.rows += count;
                taken.tables += 1;
            }
            Piece::Sequence(sequence) => {
                let quoted = sequences.take(id, &sequence.name)?;
                let set = sqlx::query("SELECT pg_catalog.setval($1::text::regclass, $2, $3)");
                set.bind(quoted).bind(sequence.last).bind(sequence.called).execute(&mut *session).await?;
            }
            Piece::Done => break,
            Piece::Rows(_) | Piece::End(_) => return Err(refused(id, "rows came that belong to no table")),
        }
    }
    tables.finish(id)?;
    sequences.finish(id)?;
    Ok(taken)
}

/// Gives how many rows were sent.
async fn take_table(
    copy: &mut PgCopyIn<&mut PgConnection>,
    id: &TenantId,
    rows: &mut Inlet,
) -> Result<u64, DatabaseError> {
    loop {
        match rows.next().await? {
            Piece::Rows(bytes) => drop(copy.send(bytes).await?),
            Piece::End(sent) => return Ok(sent),
            _ => return Err(refused(id, "the rows of a table have no end")),
        }
    }
}

/// A row that does not fit its table is the fault of what comes, and trying again does not help.
fn unfit(id: &TenantId, table: &str, error: sqlx::Error) -> DatabaseError {
    match &error {
        sqlx::Error::Database(said) => {
            refused(id, format!("the rows of its table {table:?} do not fit: {said}"))
        }
        _ => error.into(),
    }
}
