//! Which tenants' schemas are plain: a statement that names its tables in full means there what it means on the tenant's path.
//!
//! The server is asked in the background, for many schemas at once. Until it has answered, statements go the switched way, so no
//! request waits for it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row};
use tokio::sync::Notify;

use super::pool::Pool;
use super::qualify::{PLAIN_SCHEMAS, table_key};
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

/// What the schemas $1 hold that a statement can name as a table: one row for each schema.
const TABLES: &str = "SELECT n.nspname::text, pg_catalog.array_agg(c.relname::text) \
     FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid \
     WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') GROUP BY n.nspname";

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

#[derive(Debug, Clone)]
struct Known {
    plain: bool,
    /// Its tables and views, in order.
    tables: Arc<[u64]>,
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
        self.knows(id, |known| !(known.refuses && self.refused.contains_key(&(*id, text))))
    }

    /// Whether the schema is plain, as far as is known.
    pub(super) fn is_plain(&self, id: &TenantId) -> bool {
        self.knows(id, |_| true)
    }

    /// The same as [`Plain::admits`] where a name that is not found does harm: only for texts whose tables the schema is known to hold.
    pub(super) fn holds(&self, id: &TenantId, text: u64, tables: &[u64]) -> bool {
        self.knows(id, |known| {
            tables.iter().all(|table| known.tables.binary_search(table).is_ok())
                && !(known.refuses && self.refused.contains_key(&(*id, text)))
        })
    }

    /// Whether the schema is plain and `holds` says so, too.
    fn knows(&self, id: &TenantId, holds: impl FnOnce(&Known) -> bool) -> bool {
        let schemas = self.known.pin();
        let Some(known) = schemas.get(id) else {
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
        known.plain && holds(known)
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
        self.known.pin().update(*id, |known| Known { refuses: true, ..known.clone() });
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
        let (mut schemas, trusted, answered) = match look(connection, &names).await {
            Ok(schemas) => (schemas, TRUSTED, Ok(())),
            Err(error) => (Schemas::default(), AGAIN_AFTER, Err(error)),
        };
        let known = self.known.pin();
        for id in &wanted {
            let plain = schemas.plain.contains(id.as_str());
            let until = Instant::now() + trusted;
            let tables = schemas.tables.remove(id.as_str()).unwrap_or_else(|| Arc::from([]));
            known.insert(*id, Known { plain, tables, epoch, until, refuses: false });
        }
        if self.changes.load(Ordering::Acquire) != changes {
            for id in &wanted {
                known.remove(id);
            }
        }
        answered
    }
}

/// What the server says of schemas.
#[derive(Debug, Default)]
struct Schemas {
    plain: HashSet<String>,
    tables: HashMap<String, Arc<[u64]>>,
}

async fn look(connection: &mut PgConnection, names: &[&str]) -> Result<Schemas, sqlx::Error> {
    let mut schemas = Schemas::default();
    for row in sqlx::query(PLAIN_SCHEMAS).bind(names).fetch_all(&mut *connection).await? {
        schemas.plain.insert(row.try_get(0)?);
    }
    // Tenants of one version have the same, and share one list.
    let mut lists: HashSet<Arc<[u64]>> = HashSet::new();
    for row in sqlx::query(TABLES).bind(names).fetch_all(connection).await? {
        let mut tables: Vec<u64> =
            row.try_get::<Vec<String>, _>(1)?.iter().map(|name| table_key(name)).collect();
        tables.sort_unstable();
        let tables: Arc<[u64]> = match lists.get(tables.as_slice()) {
            Some(list) => Arc::clone(list),
            None => tables.into(),
        };
        lists.insert(Arc::clone(&tables));
        schemas.tables.insert(row.try_get(0)?, tables);
    }
    Ok(schemas)
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
