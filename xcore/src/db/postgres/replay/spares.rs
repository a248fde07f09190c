//! Spare schemas: made by the script of the template, before anybody wants them. A new tenant renames one.
//!
//! Their comments say which program made them and by which script, so that programs which run side by side while a new version is
//! rolled out neither take nor drop each other's.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::capture::in_schema;
use crate::db::backend::Tended;
use crate::db::postgres::schema::{self, Found, MARK as TENANT, lock_key};
use crate::db::postgres::service::Doubts;
use crate::db::postgres::target::Target;
use crate::db::postgres::{Postgres, claim};
use crate::db::{DatabaseError, Migrations, template};
use crate::faults::{Step, reached};
use crate::tenancy::TenantId;

/// Begins the names. `xcore*` is no name that a tenant can have.
const PREFIX: &str = "xcore_spare_";

/// Begins the comments. What follows: the version of the template, the script, and when it was made, in milliseconds since 1970.
const MARK: &str = "a spare tenant of xcore, ";

/// Tells the locks of spare schemas from all others of two numbers.
const LOCKS: i32 = 0x7863_6f73;

/// How often another spare is tried when one was taken or dropped in the same moment.
const TRIES: usize = 8;

/// A spare schema.
struct Spare {
    name: String,
    version: String,
    script: String,
    made: i64,
}

/// Which spares are as good as those of this process: of the same program, or of the same script.
struct Kind {
    version: String,
    script: Option<String>,
}

impl Kind {
    fn is_of(&self, spare: &Spare) -> bool {
        spare.version == self.version || self.script.as_ref() == Some(&spare.script)
    }
}

impl Postgres {
    fn kind(&self, migrations: &[Migrations]) -> Kind {
        let script = self.replay.known.get().and_then(Option::as_ref).map(|script| hash_of(script));
        Kind { version: template::version(migrations), script }
    }

    pub(in crate::db::postgres) async fn take_spare(
        &self,
        id: &TenantId,
        migrations: &[Migrations],
    ) -> Result<bool, DatabaseError> {
        if self.is_shared(id) || migrations.is_empty() {
            return Ok(false);
        }
        let (target, kind) = (Target::Tenant(*id), self.kind(migrations));
        let (mut operator, _permit) = self.replayer(lock_key(target)).await?;
        let taken = async {
            if schema::look(operator.raw(), id).await? != Found::Nothing {
                return Ok(false);
            }
            let of_role = self.roles.taking(operator.raw(), id).await?;
            let _doubts = Doubts::of(&self.pool, target);
            for _ in 0..TRIES {
                let session = operator.raw();
                session.execute("BEGIN").await?;
                let Some(spare) = free(session, &kind).await? else {
                    session.execute("ROLLBACK").await?;
                    return Ok(false);
                };
                reached(Step::SpareLocked);
                let text = format!(
                    "ALTER SCHEMA \"{spare}\" RENAME TO \"{id}\"; COMMENT ON SCHEMA \"{id}\" IS '{TENANT}'; {of_role}; COMMIT"
                );
                match session.execute(AssertSqlSafe(text)).await {
                    Ok(_) => return Ok(true),
                    Err(error) if error.as_database_error().is_none() => return Err(error.into()),
                    Err(error) => {
                        session.execute("ROLLBACK").await?;
                        tracing::debug!(tenant = %id, %error, "a spare schema could not be taken; another one is tried");
                    }
                }
            }
            Ok(false)
        }
        .await;
        self.keep(operator, taken.is_ok()).await;
        taken
    }

    pub(in crate::db::postgres) async fn tend(
        &self,
        wanted: usize,
        migrations: &[Migrations],
    ) -> Result<Tended, DatabaseError> {
        let wanted = if self.isolate && !migrations.is_empty() { wanted } else { 0 };
        let script = if wanted > 0 {
            // Tenants are to come, so that the script is worth its while with the first one.
            self.replay.made.fetch_add(1, Ordering::Relaxed);
            self.script(migrations).await
        } else {
            None
        };
        let kind = self.kind(migrations);
        let (mut operator, _permit) = self.operator().await?;
        let tended = async {
            let session = operator.raw();
            // Given free with the session.
            if !claim::wait_for_at_most(session, schema::spares_key(), Duration::ZERO).await? {
                return Ok(Tended::Busy);
            }
            let now = now(session).await?;
            let looked = *self.replay.looked.get_or_init(|| now);
            let (current, others): (Vec<_>, Vec<_>) =
                all(session).await?.into_iter().partition(|spare| kind.is_of(spare));
            // One that was made since is of a program that runs beside this one.
            let old = others.iter().find(|spare| spare.made < looked);
            if let Some(surplus) = old.or_else(|| current.get(wanted)) {
                discard(session, &surplus.name).await?;
                return Ok(Tended::Dropped);
            }
            if current.len() >= wanted {
                return Ok(Tended::Enough);
            }
            let Some(script) = script else {
                let is_known = self.replay.known.get().is_some();
                return Ok(if is_known { Tended::Impossible } else { Tended::Busy });
            };
            let name = format!("{PREFIX}{:016x}", RandomState::new().hash_one(now));
            let (version, hash, script) = (&kind.version, hash_of(&script), in_schema(&name, &script));
            // One message is one transaction.
            let text = format!(
                "CREATE SCHEMA \"{name}\"; {script}; COMMENT ON SCHEMA \"{name}\" IS '{MARK}{version} {hash} {now}'"
            );
            session.execute(AssertSqlSafe(text)).await?;
            Ok(Tended::Made)
        }
        .await;
        operator.close().await;
        tended
    }

    pub(in crate::db::postgres) async fn count_spares(
        &self,
        migrations: &[Migrations],
    ) -> Result<usize, DatabaseError> {
        let kind = self.kind(migrations);
        let (mut operator, _permit) = self.operator().await?;
        let spares = all(operator.raw()).await;
        operator.close().await;
        Ok(spares?.iter().filter(|spare| kind.is_of(spare)).count())
    }
}

fn hash_of(script: &str) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    script.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The clock of the server: those of the processes differ.
async fn now(session: &mut PgConnection) -> Result<i64, DatabaseError> {
    let text = "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint";
    Ok(session.fetch_one(text).await?.try_get_unchecked(0)?)
}

async fn all(session: &mut PgConnection) -> Result<Vec<Spare>, DatabaseError> {
    let text = format!(
        "SELECT nspname::text, pg_catalog.obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace
         WHERE pg_catalog.starts_with(nspname::text, '{PREFIX}') ORDER BY 1"
    );
    let mut spares = Vec::new();
    for row in session.fetch_all(AssertSqlSafe(text)).await? {
        let comment: Option<String> = row.try_get_unchecked(1)?;
        // One of another origin is left alone.
        let Some(rest) = comment.as_deref().and_then(|comment| comment.strip_prefix(MARK)) else { continue };
        let mut words = rest.split(' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        let (version, script, made) = (word(), word(), word().parse().unwrap_or(0));
        spares.push(Spare { name: row.try_get_unchecked(0)?, version, script, made });
    }
    Ok(spares)
}

/// A spare that nobody else takes or drops before the transaction ends.
async fn free(session: &mut PgConnection, kind: &Kind) -> Result<Option<String>, DatabaseError> {
    let script = kind.script.as_deref().unwrap_or("-");
    let text = format!(
        "SELECT name FROM (
             SELECT nspname::text AS name, pg_catalog.obj_description(oid, 'pg_namespace') AS said FROM pg_catalog.pg_namespace
             WHERE pg_catalog.starts_with(nspname::text, '{PREFIX}') OFFSET 0) spares
         WHERE CASE WHEN pg_catalog.starts_with(said, '{MARK}{} ') OR said LIKE '{MARK}% {script} %'
                    THEN pg_catalog.pg_try_advisory_xact_lock({LOCKS}, pg_catalog.hashtext(name)) ELSE false END LIMIT 1",
        kind.version
    );
    let row = session.fetch_optional(AssertSqlSafe(text)).await?;
    Ok(row.map(|row| row.try_get_unchecked(0)).transpose()?)
}

/// Drops a spare, unless it becomes a tenant's in this moment.
async fn discard(session: &mut PgConnection, name: &str) -> Result<(), DatabaseError> {
    session.execute("BEGIN").await?;
    let lock = format!("SELECT pg_catalog.pg_try_advisory_xact_lock({LOCKS}, pg_catalog.hashtext('{name}'))");
    let dropped = async {
        if session.fetch_one(AssertSqlSafe(lock)).await?.try_get_unchecked(0)? {
            session.execute(AssertSqlSafe(format!("DROP SCHEMA IF EXISTS \"{name}\" CASCADE"))).await?;
        }
        Ok(())
    }
    .await;
    session.execute(if dropped.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    dropped
}
