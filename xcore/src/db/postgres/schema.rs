//! Makes, finds and drops schemas.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::dropping;
use super::target::Target;
use crate::db::DatabaseError;
use crate::tenancy::TenantId;

/// Marks a schema as a tenant's, in its comment. A schema of another origin is left alone.
pub(super) const MARK: &str = "a tenant of xcore";

/// What is found under a tenant's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Tenant,
    Foreign,
}

pub(super) const FOREIGN: &str = "there is a schema of its name that this framework did not make";

pub(super) async fn look(connection: &mut PgConnection, id: &TenantId) -> Result<Found, DatabaseError> {
    let text = format!(
        "SELECT coalesce(obj_description(oid, 'pg_namespace') = '{MARK}', false) FROM pg_namespace WHERE nspname = '{id}'"
    );
    let found = match connection.fetch_optional(AssertSqlSafe(text)).await? {
        None => Found::Nothing,
        Some(row) if row.try_get_unchecked::<bool, _>(0)? => Found::Tenant,
        Some(_) => Found::Foreign,
    };
    Ok(found)
}

/// Which schema a tenant has: the number is never that of another one, also when the name is.
pub(super) async fn number(
    connection: &mut PgConnection,
    id: &TenantId,
) -> Result<Option<u32>, DatabaseError> {
    let text = format!("SELECT oid::bigint FROM pg_catalog.pg_namespace WHERE nspname = '{id}'");
    let row = connection.fetch_optional(AssertSqlSafe(text)).await?;
    let number = row.map(|row| row.try_get_unchecked::<i64, _>(0)).transpose()?;
    Ok(number.and_then(|number| u32::try_from(number).ok()))
}

/// Whether the framework keeps the tenants of an app here.
pub(super) async fn holds_a_directory(connection: &mut PgConnection) -> Result<bool, DatabaseError> {
    let schema = Target::Directory.schema().to_owned();
    let text = format!("SELECT pg_catalog.to_regclass('{schema}.xcore_tenants') IS NOT NULL");
    Ok(connection.fetch_one(AssertSqlSafe(text)).await?.try_get_unchecked(0)?)
}

/// Makes a tenant's schema; does nothing when it exists. All of it or nothing, and one at a time.
pub(super) async fn create(connection: &mut PgConnection, id: &TenantId) -> Result<(), DatabaseError> {
    match look(connection, id).await? {
        Found::Tenant => return Ok(()),
        Found::Foreign => return Err(DatabaseError::Odd { tenant: *id, problem: FOREIGN }),
        Found::Nothing => {}
    }
    let lock = lock_key(Target::Tenant(*id));
    // One message is one transaction.
    let text = format!("SELECT pg_advisory_xact_lock({lock}); {}", creation(id, None));
    connection.execute(AssertSqlSafe(text)).await?;
    Ok(())
}

/// The statements that make a tenant's schema. Another process may be faster; `IF NOT EXISTS` then has nothing to do.
pub(super) fn creation(id: &TenantId, owner: Option<&str>) -> String {
    let owner = owner.map(|role| format!(" AUTHORIZATION \"{role}\"")).unwrap_or_default();
    format!("CREATE SCHEMA IF NOT EXISTS \"{id}\"{owner}; COMMENT ON SCHEMA \"{id}\" IS '{MARK}'")
}

/// Makes the schema of the framework itself.
pub(super) async fn create_directory(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let (schema, lock) = (Target::Directory.schema().to_owned(), lock_key(Target::Directory));
    // A sequence in it counts definitions, see `watch.rs`.
    let found = format!(
        "SELECT 1 FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid WHERE nspname = '{schema}' AND relname = 'definitions'"
    );
    if connection.fetch_optional(AssertSqlSafe(found)).await?.is_none() {
        let text = format!(
            "SELECT pg_advisory_xact_lock({lock}); CREATE SCHEMA IF NOT EXISTS {schema}; CREATE SEQUENCE IF NOT EXISTS {schema}.definitions"
        );
        connection.execute(AssertSqlSafe(text)).await?;
    }
    Ok(())
}

/// The tenants that have a schema, sorted.
pub(super) async fn tenants(connection: &mut PgConnection) -> Result<Vec<TenantId>, DatabaseError> {
    let text = format!(
        "SELECT nspname::text FROM pg_namespace WHERE obj_description(oid, 'pg_namespace') = '{MARK}' ORDER BY 1"
    );
    let mut ids = Vec::new();
    for row in connection.fetch_all(AssertSqlSafe(text)).await? {
        // A schema that was renamed to no tenant's name is no tenant.
        if let Ok(id) = TenantId::parse(&row.try_get_unchecked::<String, _>(0)?) {
            ids.push(id);
        }
    }
    ids.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    Ok(ids)
}

/// Drops a tenant's schema; does nothing when there is none. A large one is dropped in parts, and what is left when
/// that is cut short is dropped by the next run.
pub(super) async fn drop(connection: &mut PgConnection, id: &TenantId) -> Result<(), DatabaseError> {
    match look(connection, id).await? {
        Found::Nothing => return Ok(()),
        Found::Foreign => return Err(DatabaseError::Odd { tenant: *id, problem: FOREIGN }),
        Found::Tenant => {}
    }
    dropping::drop_schema(connection, id.as_str()).await
}

/// The advisory lock for changes of a schema: making, migrating and dropping it.
pub(super) fn lock_key(target: Target) -> i64 {
    key(0x7863_6f72, target)
}

/// The advisory lock for the creation or deletion of a tenant as a whole. Its holder takes [`lock_key`] as well, never
/// the other way round.
pub(super) fn claim_key(id: &TenantId) -> i64 {
    key(0x7863_6f63, Target::Tenant(*id))
}

/// The advisory lock for the template as a whole. Its holder takes [`lock_key`] of the template as well, never the other way round.
pub(super) fn template_key() -> i64 {
    key(0x7863_6f74, Target::Directory)
}

/// The advisory lock for making and dropping spare schemas.
pub(super) fn spares_key() -> i64 {
    key(0x7863_6f75, Target::Directory)
}

/// The first half says that a lock is ours, and what for. Names that share the second half wait for each other, nothing more.
fn key(purpose: u32, target: Target) -> i64 {
    // Any spread of names will do; places are as good a seed as another.
    let low = target.weights()(usize::MAX) & 0xffff_ffff;
    i64::from(purpose) << 32 | i64::from(u32::try_from(low).unwrap_or_default())
}
