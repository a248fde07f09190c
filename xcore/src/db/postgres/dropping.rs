//! Drops a schema, however much is in it.
//!
//! `DROP SCHEMA .. CASCADE` locks every object of the schema, and what belongs to each: a plain table with a key costs about ten locks.
//! The server has room for `max_locks_per_transaction` times its sessions, shared by all of them
//! (<https://www.postgresql.org/docs/current/runtime-config-locks.html>), so thousands of tables do not fit, or leave nothing to
//! others. A schema that takes more than its share is dropped in parts, each a transaction of its own. Nobody uses the schema any more;
//! what is left when that is cut short is dropped by the next run.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use crate::db::DatabaseError;
use crate::faults::{Step, reached};

/// The part of the server's locks that one transaction takes at most.
const SHARE: i64 = 8;

/// `out_of_memory`: the table of locks is full.
const NO_LOCKS: &str = "53200";

/// A statement that drops one object, and about how many locks it takes.
struct Object {
    drop: String,
    locks: i64,
}

/// Drops a schema of this name, which needs no escaping inside double quotes; does nothing when there is none.
pub(super) async fn drop_schema(connection: &mut PgConnection, schema: &str) -> Result<(), DatabaseError> {
    let budget = budget(connection).await?;
    drop_within(connection, schema, budget).await
}

/// How many locks one transaction may take.
async fn budget(connection: &mut PgConnection) -> Result<i64, DatabaseError> {
    let text = format!(
        "SELECT pg_catalog.current_setting('max_locks_per_transaction')::bigint
              * (pg_catalog.current_setting('max_connections')::bigint + pg_catalog.current_setting('max_prepared_transactions')::bigint)
              / {SHARE}"
    );
    Ok(connection.fetch_one(AssertSqlSafe(text)).await?.try_get_unchecked(0)?)
}

/// Drops it in parts of so many locks.
pub(super) async fn drop_within(
    connection: &mut PgConnection,
    schema: &str,
    budget: i64,
) -> Result<(), DatabaseError> {
    let objects = objects(connection, schema).await?;
    let all: i64 = objects.iter().map(|object| object.locks).sum();
    if all > budget {
        drop_parts(connection, &objects, budget).await?;
    }
    let whole = format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE");
    match connection.execute(AssertSqlSafe(whole.clone())).await {
        // Others have taken what was left, or it has more than was counted.
        Err(error) if has_no_locks(&error) && !objects.is_empty() && all <= budget => {
            drop_parts(connection, &objects, all / 2).await?;
            connection.execute(AssertSqlSafe(whole)).await?;
        }
        dropped => {
            dropped?;
        }
    }
    Ok(())
}

/// Drops them one part after the other, a smaller one where the server had no room for it.
async fn drop_parts(
    connection: &mut PgConnection,
    objects: &[Object],
    mut budget: i64,
) -> Result<(), DatabaseError> {
    let mut left = objects;
    while !left.is_empty() {
        let (part, rest) = left.split_at(size_of_part(left, budget));
        // One message is one transaction.
        let text = part.iter().map(|object| object.drop.as_str()).collect::<Vec<_>>().join("; ");
        match connection.execute(AssertSqlSafe(text)).await {
            Ok(_) => {
                left = rest;
                reached(Step::PurgePartDropped);
            }
            Err(error) if has_no_locks(&error) && part.len() > 1 => {
                budget = part.iter().map(|object| object.locks).sum::<i64>() / 2;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// How many of the objects come first: one at least.
fn size_of_part(objects: &[Object], budget: i64) -> usize {
    let mut locks = 0;
    let fits = objects.iter().take_while(|object| {
        locks += object.locks;
        locks <= budget
    });
    fits.count().max(1)
}

fn has_no_locks(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == NO_LOCKS)
}

/// What there may be thousands of, in an order in which dropping one drops few others: foreign keys, which tie tables together; views,
/// the newest first, as they rest on older ones; tables, partitions before what they are parts of; then sequences, functions and
/// types. The session's path names none of it, so the server writes the names in full. What an extension owns goes with the extension, and all the rest with the schema.
///
/// Besides itself an object locks what depends on it, and what depends on that in turn: twice the first is a fair guess.
async fn objects(connection: &mut PgConnection, schema: &str) -> Result<Vec<Object>, DatabaseError> {
    let text = format!(
        "WITH space AS (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = '{schema}'),
         owned AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'),
         found AS (
             SELECT 1 AS step, c.oid::bigint AS at, 8::bigint AS locks,
                    pg_catalog.format('ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %I CASCADE', c.conrelid::regclass, c.conname) AS text
             FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
             -- Those of a partitioned table go with it, when its partitions are gone.
             WHERE c.connamespace = (SELECT oid FROM space) AND c.contype = 'f' AND c.conparentid = 0 AND t.relkind = 'r'
               AND NOT EXISTS (SELECT 1 FROM owned o WHERE o.classid = 'pg_catalog.pg_class'::regclass AND o.objid = c.conrelid)
             UNION ALL
             SELECT CASE WHEN c.relkind IN ('v', 'm') THEN 2 WHEN c.relispartition THEN 3 WHEN c.relkind = 'S' THEN 5 ELSE 4 END,
                    c.oid::bigint,
                    4 + 2 * (SELECT count(DISTINCT (d.classid, d.objid)) FROM pg_catalog.pg_depend d
                             WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid),
                    pg_catalog.format('DROP %s IF EXISTS %s CASCADE',
                        CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                                       WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END,
                        c.oid::regclass)
             FROM pg_catalog.pg_class c
             WHERE c.relnamespace = (SELECT oid FROM space) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
               AND NOT EXISTS (SELECT 1 FROM owned o WHERE o.classid = 'pg_catalog.pg_class'::regclass AND o.objid = c.oid)
               -- The sequence of a column goes with its table.
               AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                               WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND c.relkind = 'S'
                                 AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i'))
             UNION ALL
             SELECT 6, p.oid::bigint, 4,
                    pg_catalog.format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)
             FROM pg_catalog.pg_proc p
             WHERE p.pronamespace = (SELECT oid FROM space)
               AND NOT EXISTS (SELECT 1 FROM owned o WHERE o.classid = 'pg_catalog.pg_proc'::regclass AND o.objid = p.oid)
             UNION ALL
             -- Neither the row of a table nor the array of a type, which go with it.
             SELECT 7, t.oid::bigint, 6, pg_catalog.format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype)
             FROM pg_catalog.pg_type t
             WHERE t.typnamespace = (SELECT oid FROM space) AND t.typtype IN ('e', 'd', 'c', 'r')
               AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
               AND NOT EXISTS (SELECT 1 FROM owned o WHERE o.classid = 'pg_catalog.pg_type'::regclass AND o.objid = t.oid)
         )
         SELECT text, locks FROM found ORDER BY step, CASE WHEN step IN (2, 3) THEN -at ELSE at END"
    );
    let rows = connection.fetch_all(AssertSqlSafe(text)).await?;
    let read = |row: &sqlx::postgres::PgRow| -> Result<Object, sqlx::Error> {
        Ok(Object { drop: row.try_get_unchecked(0)?, locks: row.try_get_unchecked(1)? })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}
