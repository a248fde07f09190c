//! What is wrong with the rights of the app's own login, and with the roles that there are.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::Roles;
use super::name::quoted;
use crate::db::{DatabaseError, Finding};

/// Looks at the rights of this connection's login.
pub(in crate::db::postgres) async fn findings(
    connection: &mut PgConnection,
    roles: &Roles,
) -> Result<Vec<Finding>, DatabaseError> {
    let text = "SELECT rolname::text, rolsuper, rolbypassrls, rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = session_user";
    let row = connection.fetch_one(text).await?;
    let name: String = row.try_get_unchecked(0)?;
    let [is_super, bypasses, makes_roles]: [bool; 3] =
        [row.try_get_unchecked(1)?, row.try_get_unchecked(2)?, row.try_get_unchecked(3)?];
    let mut findings = Vec::new();
    let mut find = |is_serious: bool, text: String| findings.push(Finding { is_serious, text });
    if is_super {
        find(
            true,
            format!(
                "the login `{name}` of services.database.url is a superuser, so SQL that reaches it reaches everything on the server; make a login for the app, or run: ALTER ROLE \"{name}\" NOSUPERUSER"
            ),
        );
    }
    if bypasses && !is_super {
        find(
            true,
            format!(
                "the login `{name}` of services.database.url passes by all row security; run: ALTER ROLE \"{name}\" NOBYPASSRLS"
            ),
        );
    }
    if !roles.are_used() {
        return Ok(findings);
    }
    if !(makes_roles || is_super) {
        find(
            false,
            format!(
                "the login `{name}` of services.database.url may not make roles, so no tenant can be created or deleted; run: ALTER ROLE \"{name}\" CREATEROLE"
            ),
        );
    }
    let group = roles.group();
    let text = format!("SELECT pg_catalog.has_schema_privilege('{group}', 'public', 'CREATE')");
    if connection.fetch_one(AssertSqlSafe(text)).await?.try_get_unchecked(0)? {
        find(true, "every role may make tables and functions in the schema `public`, where all tenants look for names; run: REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned());
    }
    let text = format!(
        "SELECT r.rolname::text FROM pg_catalog.pg_roles r
         WHERE pg_catalog.starts_with(pg_catalog.shobj_description(r.oid, 'pg_authid'), {})
           AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace n WHERE n.nspowner = r.oid) ORDER BY 1",
        quoted(&roles.mark_of_all())
    );
    for row in connection.fetch_all(AssertSqlSafe(text)).await? {
        let role: String = row.try_get_unchecked(0)?;
        find(
            false,
            format!(
                "the role `{role}` has outlived its tenant; run: DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\""
            ),
        );
    }
    Ok(findings)
}
