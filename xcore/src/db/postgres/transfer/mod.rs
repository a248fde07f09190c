//! Rows out of a tenant's schema and into one, by `COPY`.
//!
//! Every name in a statement comes from the catalog of the server that runs it, never from what is taken in.

mod send;
mod take;

use sqlx::{PgConnection, Row};

use super::target::{Role, Target};
use crate::db::DatabaseError;
use crate::db::transfer::refused;
use crate::tenancy::TenantId;

/// The tables of a schema, and the columns that a row brings along: those that are computed are computed again.
const TABLES: &str = "
    SELECT c.relname::text AS name, pg_catalog.quote_ident(c.relname) AS quoted,
           coalesce(pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL), '{}') AS columns,
           coalesce(pg_catalog.array_agg(pg_catalog.quote_ident(a.attname) ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL), '{}') AS quoted_columns
    FROM pg_catalog.pg_class c
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1) AND c.relkind = 'r'
    GROUP BY c.oid, c.relname ORDER BY c.relname COLLATE \"C\"";

const SEQUENCES: &str = "
    SELECT c.relname::text AS name, pg_catalog.quote_ident(c.relname) AS quoted FROM pg_catalog.pg_class c
    WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1) AND c.relkind = 'S' ORDER BY c.relname COLLATE \"C\"";

/// What rows cannot carry: rows of other servers, and numbers that mean something in the catalog of one server only, as those of large
/// objects do.
const REFUSED: &str = "
    SELECT pg_catalog.concat('it has the foreign table ', c.relname) AS problem FROM pg_catalog.pg_class c
    WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1) AND c.relkind = 'f'
    UNION ALL
    SELECT pg_catalog.concat('its column ', c.relname, '.', a.attname, ' has the type ', pg_catalog.format_type(a.atttypid, NULL),
               ', which holds numbers of this server alone, such as those of large objects; keep files in a bytea column')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
    WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1) AND c.relkind = 'r'
      AND (t.typname = 'lo' OR EXISTS (SELECT 1 FROM pg_catalog.unnest(ARRAY[t.oid, t.typbasetype, e.oid, e.typbasetype]) u (type)
           JOIN pg_catalog.pg_type n ON n.oid = u.type
           WHERE n.typnamespace = 'pg_catalog'::regnamespace AND (n.typname ~ '^reg' OR n.typname IN ('oid', 'xid', 'xid8', 'cid', 'tid'))))
    ORDER BY 1 LIMIT 1";

/// How the name of the table begins that holds the applied migrations of a plugin.
const APPLIED: &str = "xcore_migrations_";

/// A table as the catalog has it.
struct Found {
    name: String,
    /// With its schema.
    quoted: String,
    /// Each with its quoted name.
    columns: Vec<(String, String)>,
}

impl Found {
    fn is_of_the_framework(&self) -> bool {
        self.name.starts_with(APPLIED)
    }
}

async fn tables(session: &mut PgConnection, id: &TenantId) -> Result<Vec<Found>, DatabaseError> {
    let rows = sqlx::query(TABLES).bind(id.as_str()).fetch_all(session).await?;
    let found = |row: &sqlx::postgres::PgRow| -> Result<Found, DatabaseError> {
        let (names, quoted): (Vec<String>, Vec<String>) =
            (row.try_get("columns")?, row.try_get("quoted_columns")?);
        let table: String = row.try_get("quoted")?;
        Ok(Found {
            name: row.try_get("name")?,
            quoted: format!("\"{id}\".{table}"),
            columns: names.into_iter().zip(quoted).collect(),
        })
    };
    rows.iter().map(found).collect()
}

/// Each with its quoted name, which has its schema.
async fn sequences(
    session: &mut PgConnection,
    id: &TenantId,
) -> Result<Vec<(String, String)>, DatabaseError> {
    let rows = sqlx::query(SEQUENCES).bind(id.as_str()).fetch_all(session).await?;
    let found = |row: &sqlx::postgres::PgRow| -> Result<(String, String), DatabaseError> {
        let quoted: String = row.try_get("quoted")?;
        Ok((row.try_get("name")?, format!("\"{id}\".{quoted}")))
    };
    rows.iter().map(found).collect()
}

async fn check_portable(session: &mut PgConnection, id: &TenantId) -> Result<(), DatabaseError> {
    let found = sqlx::query(REFUSED).bind(id.as_str()).fetch_optional(session).await?;
    match found {
        Some(row) => Err(refused(id, row.try_get::<String, _>("problem")?)),
        None => Ok(()),
    }
}

/// Begins a transaction on the tenant's path and with its rights, in which values are written so that every server reads them as the
/// same again. A table that hides rows from its owner is an error.
fn begin(mode: &str, id: &TenantId, role: &Role) -> String {
    let target = Target::Tenant(*id);
    let role = match role {
        Role::Tenant(role) | Role::Login(role) => format!("SET LOCAL ROLE \"{role}\"; "),
        Role::AsItIs | Role::None => String::new(),
    };
    format!(
        "BEGIN {mode}; {role}SET LOCAL search_path TO {}; SET LOCAL row_security TO off; SET LOCAL datestyle TO 'ISO, YMD'; \
         SET LOCAL intervalstyle TO 'postgres'; SET LOCAL timezone TO 'UTC'; SET LOCAL extra_float_digits TO 1; \
         SET LOCAL lc_monetary TO 'C'; SET LOCAL bytea_output TO 'hex'; SET LOCAL xmloption TO 'content'",
        target.path()
    )
}

/// The columns of a `COPY`; a table without any has none to name.
fn list<'a>(columns: impl Iterator<Item = &'a str>) -> String {
    let columns: Vec<&str> = columns.collect();
    if columns.is_empty() { String::new() } else { format!("({})", columns.join(", ")) }
}
