//! Gives a tenant's schema another name.
//!
//! Unlike a drop, a rename waits for no transaction: one that has begun by the old name would find there what comes next. So
//! those that have touched the schema are waited for. And what is in it must not name it: a function that says `acme.orders` would, once
//! another tenant has that name, read another tenant's orders.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::replay::parts;
use super::roles::Roles;
use super::schema::{self, Found, lock_key};
use super::service::Doubts;
use super::target::Target;
use super::{Postgres, claim};
use crate::db::DatabaseError;
use crate::db::backend::TenantClaim;
use crate::faults::{Step, reached};
use crate::tenancy::TenantId;

/// How long transactions of others are left alone before they are asked for again.
const PAUSE: Duration = Duration::from_millis(50);

impl Postgres {
    /// Renames the schema of a tenant whose users have left, here and elsewhere; what `elsewhere` gives is held until it has the new name.
    pub(super) async fn rename_when<G: Send + 'static>(
        &self,
        id: &TenantId,
        to: &TenantId,
        claim: &dyn TenantClaim,
        elsewhere: impl AsyncFnOnce() -> Result<G, DatabaseError>,
    ) -> Result<(), DatabaseError> {
        if self.is_shared(id) || self.is_shared(to) {
            return Err(DatabaseError::NotRenamable { tenant: *id });
        }
        let evacuated = (self.pool.evacuate(*id).await?, self.pool.evacuate(*to).await?, elsewhere().await?);
        reached(Step::RenameEvacuated);
        let (mut operator, permit) = self.operator().await?;
        let (id, to, waited) = (*id, *to, self.drain_timeout);
        // In one order for all, so that two renames never wait for each other.
        let mut locks = [id, to].map(|tenant| (lock_key(Target::Tenant(tenant)), tenant));
        locks.sort_unstable();
        for (lock, tenant) in locks {
            if !claim::wait_for_at_most(operator.raw(), lock, waited).await? {
                return Err(DatabaseError::StillUsed { tenant, waited });
            }
        }
        wait_until_unused(operator.raw(), &id, waited).await?;
        // Behind the locks, see `claim.rs`.
        claim.check().await?;
        reached(Step::RenameLocked);
        // In one piece, also when the caller goes away: nobody may begin to use a schema whose name is about to change.
        let (plain, roles) = (Arc::clone(&self.pool), Arc::clone(&self.roles));
        let renaming = self.pool.runtime.spawn(async move {
            let doubts = [id, to].map(|tenant| Doubts::of(&plain, Target::Tenant(tenant)));
            plain.close_login(&id).await;
            let renamed = rename(operator.raw(), &roles, &id, &to).await;
            operator.close().await;
            drop((doubts, evacuated, permit));
            renamed
        });
        renaming.await.unwrap_or(Err(DatabaseError::Closed))
    }
}

/// The caller holds the locks of both schemas.
async fn rename(
    session: &mut PgConnection,
    roles: &Roles,
    id: &TenantId,
    to: &TenantId,
) -> Result<(), DatabaseError> {
    match (schema::look(session, id).await?, schema::look(session, to).await?) {
        (Found::Tenant, Found::Nothing) => {}
        // Done before, but for the last step.
        (Found::Nothing, Found::Tenant) => return roles.end_sessions(session, to).await,
        (Found::Foreign, _) => return Err(DatabaseError::Odd { tenant: *id, problem: schema::FOREIGN }),
        (_, Found::Foreign) => return Err(DatabaseError::Odd { tenant: *to, problem: schema::FOREIGN }),
        (Found::Tenant, Found::Tenant) => return Err(DatabaseError::NameTaken { tenant: *to }),
        (Found::Nothing, Found::Nothing) => return Err(DatabaseError::Missing { tenant: *id }),
    }
    for (part, definition) in parts(session, id.as_str()).await? {
        if names(&part, &definition, id.as_str()) {
            return Err(DatabaseError::NamesItself { tenant: *id, part });
        }
    }
    let of_role = roles.renaming(session, id, to).await?;
    // One message is one transaction.
    let text = format!("ALTER SCHEMA \"{id}\" RENAME TO \"{to}\"; {of_role}");
    session.execute(AssertSqlSafe(text)).await?;
    reached(Step::RenameSchemaRenamed);
    // They work with the rights of the tenant by its new name, and are known here as those of the old one.
    roles.end_sessions(session, to).await
}

/// Waits for the transactions, of whatever process, that have touched what is in the schema.
async fn wait_until_unused(
    session: &mut PgConnection,
    id: &TenantId,
    at_most: Duration,
) -> Result<(), DatabaseError> {
    let text = format!(
        "SELECT 1 FROM pg_catalog.pg_locks l
         JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
         WHERE n.nspname = '{id}' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
           AND coalesce(a.backend_type, 'client backend') = 'client backend' LIMIT 1"
    );
    let deadline = Instant::now() + at_most;
    while session.fetch_optional(AssertSqlSafe(text.clone())).await?.is_some() {
        if Instant::now() >= deadline {
            return Err(DatabaseError::StillUsed { tenant: *id, waited: at_most });
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Whether a definition may mean the schema of this name: it has the name in quotes, or before a dot. It was printed with the schema alone on
/// the path, so the server itself has named it nowhere.
fn names(part: &str, definition: &str, name: &str) -> bool {
    // A remark means nothing, and what a view says of tables is kept by their numbers; its aliases may be equal to the name.
    if part.starts_with("comment of ") {
        return false;
    }
    let is_view = part.starts_with("view ") || part.starts_with("materialized view ");
    let (text, within) =
        (definition.to_ascii_lowercase(), |byte: u8| byte.is_ascii_alphanumeric() || b"_$".contains(&byte));
    text.match_indices(name).any(|(at, _)| {
        let before = at.checked_sub(1).map(|at| text.as_bytes()[at]);
        let after = text.as_bytes().get(at + name.len()..).unwrap_or_default();
        let is_quoted = before.is_some_and(|byte| b"'\"".contains(&byte));
        if before.is_some_and(within) || after.first().is_some_and(|byte| within(*byte)) {
            return false;
        }
        let rest = after.strip_prefix(b"\"").unwrap_or(after).trim_ascii_start();
        (is_quoted
            && after.first().is_some_and(|byte| b"'\".".contains(byte))
            && !(is_view && before == Some(b'"')))
            || (rest.first() == Some(&b'.') && !is_view)
            || (text.contains("search_path") && !is_view)
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_definition_that_means_the_schema_is_told_from_one_that_has_the_letters() {
        for (definition, is_named) in [
            ("BEGIN INSERT INTO acme.orders VALUES (1); END", true),
            ("SELECT \"Acme\" . total", true),
            ("SELECT \"acme\".total", true),
            ("EXECUTE format('SELECT 1 FROM %I.orders', 'acme')", true),
            ("nextval('acme.numbers'::text)", true),
            ("CREATE FUNCTION f() SET search_path TO acme, public", true),
            ("SELECT acme_orders.id, x.acme, total AS acme FROM acme_orders x", false),
            ("SELECT id FROM orders -- of acme", false),
        ] {
            assert_eq!(names("function f()", definition, "acme"), is_named, "{definition}");
        }
        assert!(!names("view seen", " SELECT acme.id FROM orders acme", "acme"));
        assert!(names("view seen", " SELECT nextval('acme.numbers'::text)", "acme"));
        assert!(!names("comment of table x", "as acme.x", "acme"));
    }
}
