//! Which tenants' schemas are plain: a statement that names its tables in full means there what it means on the tenant's path.
//!
//! The server is asked in the background, for many schemas at once. Until it has answered, statements go the switched way, so no
//! request waits for it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row};
use tokio::sync::Notify;

use super::pool::Pool;
use super::qualify::PLAIN_SCHEMAS;
use super::run;
use super::target::Target;
use super::text::Verdict;
use crate::tenancy::TenantId;

/// After this time a schema is asked for again. What this process defines is noticed at once; this is for what others
/// define. Until then a statement may miss what the tenant's path would have found.
const TRUSTED: Duration = Duration::from_secs(600);

/// For how long an old answer serves while the new one is awaited.
const GRACE: Duration = Duration::from_secs(10);

/// When the server could not answer.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// For how long schemas are collected before the server is asked.
const COLLECT: Duration = Duration::from_millis(2);

/// How many texts are remembered that a schema refused.
const REFUSED: u64 = 10_000;

/// What is known of the schemas.
#[derive(Debug)]
pub(super) struct Plain {
    known: papaya::HashMap<TenantId, Known, foldhash::fast::RandomState>,
    /// Texts that named something the schema does not hold, such as a shared table.
    refused: moka::sync::Cache<(TenantId, u64), (), foldhash::fast::RandomState>,
    wanted: Mutex<HashSet<TenantId>>,
    wake: Notify,
    /// Counts what was defined, wherever.
    epoch: AtomicU64,
    /// Counts changes of single schemas, so that an answer notices what it was overtaken by.
    changes: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    plain: bool,
    epoch: u64,
    until: Instant,
    /// Some of its texts are refused.
    refuses: bool,
}

impl Default for Plain {
    fn default() -> Self {
        let refused = moka::sync::Cache::builder()
            .max_capacity(REFUSED)
            .time_to_live(TRUSTED)
            .build_with_hasher(foldhash::fast::RandomState::default());
        Self {
            known: papaya::HashMap::default(),
            refused,
            wanted: Mutex::default(),
            wake: Notify::new(),
            epoch: AtomicU64::new(0),
            changes: AtomicU64::new(0),
        }
    }
}

impl Plain {
    /// Whether the text may be sent in full to the schema. When that is not known it may not, and the server is asked.
    pub(super) fn admits(&self, id: &TenantId, text: u64) -> bool {
        let Some(known) = self.known.pin().get(id).copied() else {
            self.want(id);
            return false;
        };
        if known.epoch != self.epoch.load(Ordering::Acquire) {
            self.want(id);
            return false;
        }
        let now = Instant::now();
        if known.until <= now {
            self.want(id);
            if known.until + GRACE <= now {
                return false;
            }
        }
        known.plain && !(known.refuses && self.refused.contains_key(&(*id, text)))
    }

    fn want(&self, id: &TenantId) {
        // Nothing that can panic happens under the lock.
        if self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(*id) {
            self.wake.notify_one();
        }
    }

    /// Remembers that a text named something which the schema does not hold.
    pub(super) fn refuse(&self, id: &TenantId, text: u64) {
        self.refused.insert((*id, text), ());
        self.known.pin().update(*id, |known| Known { refuses: true, ..*known });
    }

    /// Something was defined: every schema is asked for again.
    pub(super) fn doubt_all(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.refused.invalidate_all();
    }

    /// What this target's path finds was changed.
    pub(super) fn doubt_what(&self, target: Target) {
        match target {
            Target::Tenant(id) => self.doubt(&id),
            _ => self.doubt_all(),
        }
    }

    /// The schema was changed, or the tenant has left.
    pub(super) fn doubt(&self, id: &TenantId) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.known.pin().remove(id);
    }

    /// Asks the server for those that are wanted.
    async fn ask(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        // Read before the catalog is: whatever is defined from here on is noticed.
        let (epoch, changes) = (self.epoch.load(Ordering::Acquire), self.changes.load(Ordering::Acquire));
        let wanted = std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        let names: Vec<&str> = wanted.iter().map(TenantId::as_str).collect();
        let rows = sqlx::query(PLAIN_SCHEMAS).bind(names).fetch_all(connection).await;
        let trusted = if rows.is_ok() { TRUSTED } else { AGAIN_AFTER };
        let mut plain = HashSet::new();
        for row in rows.as_deref().unwrap_or_default() {
            plain.insert(row.try_get::<String, _>(0)?);
        }
        let known = self.known.pin();
        for id in &wanted {
            let plain = plain.contains(id.as_str());
            let until = Instant::now() + trusted;
            known.insert(*id, Known { plain, epoch, until, refuses: false });
        }
        if self.changes.load(Ordering::Acquire) != changes {
            for id in &wanted {
                known.remove(id);
            }
        }
        rows.map(drop)
    }
}

/// Answers for as long as the pool is open.
pub(super) async fn answer(pool: Weak<Pool>) {
    let Some(plain) = pool.upgrade().map(|pool| Arc::clone(&pool.plain)) else { return };
    loop {
        // The pool may be dropped meanwhile, and nobody asks any more.
        let woken = tokio::time::timeout(Duration::from_secs(10), plain.wake.notified()).await;
        let Some(pool) = pool.upgrade().filter(|pool| !pool.is_closed()) else { return };
        if woken.is_err() {
            continue;
        }
        tokio::time::sleep(COLLECT).await;
        let asked = async {
            let mut lease = pool.lend(Target::Nobody).await?;
            // Compiling the query takes longer than running it.
            lease.in_transaction = true;
            lease.control("BEGIN READ ONLY; SET LOCAL jit = off").await?;
            let asked = plain.ask(lease.start(Verdict::default()).await?).await.map_err(run::exec_error);
            lease.finish(asked.as_ref().err());
            if asked.is_ok() {
                lease.control("ROLLBACK").await?;
                lease.end_transaction();
            }
            asked
        };
        if let Err(error) = asked.await {
            tracing::warn!(%error, "could not ask which schemas are plain; statements switch their session meanwhile");
            tokio::time::sleep(Duration::from_millis(500)).await;
            // Those that were not asked for yet.
            plain.wake.notify_one();
        }
    }
}
