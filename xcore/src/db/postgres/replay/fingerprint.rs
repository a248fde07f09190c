//! Compares schemas by what the catalog says of them.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::template::TEMPLATE;
use crate::db::drift::{Drift, Parts, differences};
use crate::db::postgres::Postgres;
use crate::db::postgres::target::NOBODY;
use crate::db::{DatabaseError, Migrations};
use crate::tenancy::TenantId;

const QUERY: &str = include_str!("fingerprint.sql");

/// How many schemas are asked for at once: their definitions are in the memory of the server meanwhile.
const AT_ONCE: usize = 200;

impl Postgres {
    /// What the tenants' schemas have otherwise than the template.
    pub(in crate::db::postgres) async fn compare(
        &self,
        ids: &[TenantId],
        migrations: &[Migrations],
    ) -> Result<Vec<Drift>, DatabaseError> {
        let ids: Vec<TenantId> = ids.iter().filter(|id| !self.is_shared(id)).copied().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut template = self.template(migrations).await?;
        let found = compare(template.session.raw(), &ids).await;
        template.close().await;
        found
    }
}

async fn compare(session: &mut PgConnection, ids: &[TenantId]) -> Result<Vec<Drift>, DatabaseError> {
    let mut differing: Vec<TenantId> = Vec::new();
    for ids in ids.chunks(AT_ONCE) {
        let hashes = hashes(session, ids).await?;
        let expected = hashes.get(TEMPLATE);
        differing.extend(ids.iter().filter(|id| hashes.get(id.as_str()) != expected).copied());
    }
    if differing.is_empty() {
        return Ok(Vec::new());
    }
    let template = parts(session, TEMPLATE).await?;
    let mut found = Vec::new();
    for tenant in differing {
        let differences = differences(&parts(session, tenant.as_str()).await?, &template);
        if !differences.is_empty() {
            found.push(Drift { tenant, differences });
        }
    }
    Ok(found)
}

/// A hash of each schema. Those that are equal are equal; those that are not are looked at one by one.
async fn hashes(
    session: &mut PgConnection,
    ids: &[TenantId],
) -> Result<HashMap<String, String>, DatabaseError> {
    session.execute(AssertSqlSafe(format!("SET search_path TO {NOBODY}"))).await?;
    let text = format!(
        "SELECT space, pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(object, e'\\x1f', definition), e'\\x1e'
             ORDER BY object COLLATE \"C\", definition COLLATE \"C\")) FROM ({QUERY}) parts GROUP BY space"
    );
    let names: Vec<&str> = ids.iter().map(TenantId::as_str).chain([TEMPLATE]).collect();
    let rows = sqlx::query(AssertSqlSafe(text)).bind(names).bind(true).fetch_all(session).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// All that one schema holds.
pub(in crate::db::postgres) async fn parts(
    session: &mut PgConnection,
    schema: &str,
) -> Result<Parts, DatabaseError> {
    session.execute(AssertSqlSafe(format!("SET search_path TO \"{schema}\""))).await?;
    let asked = sqlx::query(QUERY).bind(vec![schema]).bind(false).fetch_all(&mut *session).await;
    session.execute(AssertSqlSafe(format!("SET search_path TO {NOBODY}"))).await?;
    let mut parts = Parts::new();
    for row in asked? {
        let (part, is): (String, Option<String>) = (row.try_get("object")?, row.try_get("definition")?);
        let is = is.unwrap_or_default();
        parts
            .entry(part)
            .and_modify(|before: &mut String| {
                before.push_str("; ");
                before.push_str(&is);
            })
            .or_insert(is);
    }
    Ok(parts)
}
