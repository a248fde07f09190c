//! Notices what is defined, here and by others.
//!
//! Who defines something through this framework counts it in a sequence that all processes read each second, together with a
//! fingerprint of all functions of users. So functions that others make are noticed within about a second, whoever they are, and
//! all else within that time when it was made through the framework. What is left is [`plain`](super::plain)'s patience.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use sea_orm::DbErr;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use tokio::time::timeout;

use super::pool::Pool;
use super::run;
use super::target::Target;
use super::text::Verdict;

/// How often the server is asked what others define.
const INTERVAL: Duration = Duration::from_secs(1);

/// For how long definitions are collected before the server is asked.
const COLLECT: Duration = Duration::from_millis(5);

/// Expressions are read anew after this time, though nothing is known to have changed.
const TRUSTED: Duration = Duration::from_secs(600);

/// The functions are read for at most one part of this many of the time, and not seldomer than that.
const SHARE: u32 = 5;
const RESTS: Duration = Duration::from_secs(5);

/// The count of definitions, and the fingerprint of the functions. `oid`s from 16384 on are not the server's own, and a function that
/// is replaced has another `xmin`.
const FINGERPRINT: &str = "SELECT {count}, pg_catalog.count(*), \
     coalesce(pg_catalog.sum((f.oid::bigint * 2654435761 + f.xmin::text::bigint) % 1000000007), 0)::bigint \
     FROM pg_catalog.pg_proc f WHERE f.oid >= 16384::oid";
const READ: &str = "(SELECT last_value + is_called::int FROM xcore_directory.definitions)";
const COUNT: &str = "pg_catalog.nextval('xcore_directory.definitions')";

/// What was last seen.
#[derive(Default)]
struct Seen {
    definitions: Option<i64>,
    functions: (i64, i64),
    /// When the functions were read.
    read: Option<Instant>,
    /// How long that is to rest.
    rests: Duration,
    /// Something has changed since then.
    doubted: bool,
}

/// Watches for as long as the pool is open.
pub(super) async fn watch(pool: Weak<Pool>) {
    let Some(code) = pool.upgrade().map(|pool| Arc::clone(&pool.code)) else { return };
    let mut seen = Seen::default();
    let mut fails = false;
    loop {
        let Some(pool) = pool.upgrade().filter(|pool| !pool.is_closed()) else { return };
        match look(&pool, &mut seen).await {
            Ok(()) => fails = false,
            Err(error) if fails => tracing::debug!(%error, "still cannot ask what was defined"),
            Err(error) => {
                fails = true;
                tracing::warn!(%error, "could not ask what was defined; sessions are reset more often meanwhile");
            }
        }
        drop(pool);
        let pause = if code.is_outdated() && !fails { seen.rest().max(COLLECT) } else { INTERVAL };
        if timeout(pause, code.wake.notified()).await.is_ok() {
            tokio::time::sleep(COLLECT).await;
        }
    }
}

impl Seen {
    /// How long the functions are not to be read again.
    fn rest(&self) -> Duration {
        self.read.map_or(Duration::ZERO, |read| self.rests.saturating_sub(read.elapsed()))
    }
}

async fn look(pool: &Arc<Pool>, seen: &mut Seen) -> Result<(), DbErr> {
    #[cfg(test)]
    let _watching = pool.watching.lock().await;
    let mut lease = pool.lend(Target::Nobody).await?;
    // A sequence counts outside of transactions.
    let connection = lease.start(Verdict { writes: true, ..Verdict::default() }).await?;
    let outdated = fingerprint(pool, connection, seen).await.map_err(run::exec_error);
    lease.finish(outdated.as_ref().err());
    if !outdated? && !pool.code.is_outdated() {
        pool.code.confirm();
        return Ok(());
    }
    if !seen.rest().is_zero() {
        return Ok(());
    }
    // Compiling the query takes longer than running it.
    lease.in_transaction = true;
    lease.control("BEGIN READ ONLY; SET LOCAL jit = off").await?;
    let begun = Instant::now();
    let asked = pool.code.ask(lease.start(Verdict::default()).await?).await.map_err(run::exec_error);
    lease.finish(asked.as_ref().err());
    asked?;
    seen.read = Some(Instant::now());
    seen.rests = (begun.elapsed() * SHARE).min(RESTS);
    seen.doubted = false;
    lease.control("ROLLBACK").await?;
    lease.end_transaction();
    Ok(())
}

/// Tells the others and hears from them. Whether the functions are to be read.
async fn fingerprint(
    pool: &Pool,
    connection: &mut PgConnection,
    seen: &mut Seen,
) -> Result<bool, sqlx::Error> {
    let own = pool.code.unannounced();
    let text = FINGERPRINT.replace("{count}", if own.is_some() { COUNT } else { READ });
    let row = sqlx::query(AssertSqlSafe(text)).fetch_one(connection).await?;
    let count: i64 = row.try_get(0)?;
    let functions = (row.try_get(1)?, row.try_get(2)?);
    // `nextval` gives what a reader saw before it.
    let is_others = seen.definitions.is_some_and(|definitions| definitions != count);
    seen.definitions = Some(count + i64::from(own.is_some()));
    if let Some(own) = own {
        pool.code.announced(own);
    }
    let is_new = functions != seen.functions && seen.read.is_some();
    seen.functions = functions;
    // What is defined here was doubted at once.
    if is_others || (is_new && own.is_none()) {
        pool.plain.doubt_all();
    }
    seen.doubted |= is_others || is_new;
    let is_old = seen.read.is_none_or(|read| read.elapsed() > TRUSTED);
    Ok(seen.doubted || is_old)
}
