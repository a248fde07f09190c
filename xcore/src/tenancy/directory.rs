//! Which tenants exist, looked up once and remembered.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use super::{DirectoryStore, State, StoreError, TenancyError, Tenant, TenantId};

/// How long an unknown name is remembered. Short, so that a tenant that another process creates is not hidden.
const UNKNOWN_TTL: Duration = Duration::from_secs(1);

/// How many names are remembered. A flood of made-up names empties the memory, it does not grow it.
const CAPACITY: usize = 100_000;

/// How many different names can be looked up at once; the same name is looked up once.
const FLIGHTS: usize = 64;

/// Which tenants exist and in what state.
///
/// A hit is answered from memory without a query, an allocation or a lock. A miss asks the store once, however many
/// requests wait for it; no lookup holds a database connection across a handler.
pub struct Directory {
    store: Arc<dyn DirectoryStore>,
    known: papaya::HashMap<TenantId, Known>,
    /// One [`Tenant`] per tenant that this process has admitted and not seen deleted.
    living: papaya::HashMap<TenantId, Tenant>,
    /// Tenants that this process cannot serve now, whatever the store says.
    held: papaya::HashSet<TenantId>,
    flights: Box<[tokio::sync::Mutex<()>]>,
    hasher: RandomState,
    ttl: Duration,
    revision: AtomicI64,
}

struct Known {
    tenant: Option<Tenant>,
    until: Instant,
}

impl Directory {
    /// A directory over a store. `ttl` is how long a lookup of a tenant may be served from memory.
    pub(crate) fn new(store: Arc<dyn DirectoryStore>, ttl: Duration) -> Self {
        Self {
            store,
            known: papaya::HashMap::new(),
            living: papaya::HashMap::new(),
            held: papaya::HashSet::new(),
            flights: (0..FLIGHTS).map(|_| tokio::sync::Mutex::new(())).collect(),
            hasher: RandomState::new(),
            ttl,
            revision: AtomicI64::new(0),
        }
    }

    /// What the directory is kept in.
    pub(crate) fn store(&self) -> &Arc<dyn DirectoryStore> {
        &self.store
    }

    /// The tenant, if memory can tell that it is active.
    #[inline]
    pub(crate) fn remembered(&self, id: &TenantId) -> Option<Result<Tenant, TenancyError>> {
        let known = self.known.pin();
        let found = known.get(id)?;
        if found.until <= Instant::now() {
            return None;
        }
        Some(found.tenant.clone().ok_or(TenancyError::Unknown))
    }

    /// Admits a tenant: it exists and is active.
    ///
    /// # Errors
    /// [`TenancyError::Unknown`], or [`TenancyError::Unavailable`] when the store cannot be asked.
    ///
    /// Cancellation safe: a dropped lookup leaves nothing behind.
    pub async fn admit(&self, id: &TenantId) -> Result<Tenant, TenancyError> {
        if let Some(answer) = self.remembered(id) {
            return answer;
        }
        let flight = &self.flights[self.hasher.hash_one(id) as usize % FLIGHTS];
        let _single = flight.lock().await;
        if let Some(answer) = self.remembered(id) {
            return answer;
        }
        if self.held.pin().contains(id) {
            return Err(TenancyError::Held);
        }
        // Read before the row: a change in between then empties what this lookup is about to remember.
        let revision = self.revision.load(Ordering::Acquire);
        let record =
            self.store.find(id).await.map_err(|source| TenancyError::Unavailable { id: *id, source })?;
        let tenant = match record.map(|record| record.state) {
            Some(State::Active) => Some(self.living(id)),
            Some(State::Provisioning | State::Deleting) => None,
            // Deleted, also when another process did it.
            None => {
                self.end(id);
                None
            }
        };
        let ttl = if tenant.is_some() { self.ttl } else { self.ttl.min(UNKNOWN_TTL) };
        let known = self.known.pin();
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(*id, Known { tenant: tenant.clone(), until: Instant::now() + ttl });
        if self.revision.load(Ordering::Acquire) != revision {
            known.remove(id);
        }
        tenant.ok_or(TenancyError::Unknown)
    }

    /// The tenant in its present life, whatever its state. For its creation and deletion; requests are
    /// [admitted](Directory::admit).
    pub(crate) fn living(&self, id: &TenantId) -> Tenant {
        self.living.pin().get_or_insert_with(*id, || Tenant::admit(*id)).clone()
    }

    /// Ends the present life of a tenant: whoever still holds it can do nothing more with it.
    pub(crate) fn end(&self, id: &TenantId) {
        if let Some(tenant) = self.living.pin().remove(id) {
            tenant.end();
        }
    }

    /// Forgets what memory holds of a tenant. For the process that changes it.
    pub(crate) fn forget(&self, id: &TenantId) {
        self.revision.fetch_sub(1, Ordering::AcqRel);
        self.known.pin().remove(id);
    }

    /// Refuses a tenant with 503 until this process is started again: its data does not fit the binary.
    pub(crate) fn hold(&self, id: &TenantId) {
        self.held.pin().insert(*id);
        self.forget(id);
    }

    /// Notices changes that other processes made; `true` when there were any.
    pub(crate) async fn refresh(&self) -> Result<bool, StoreError> {
        let current = self.store.revision().await?;
        let changed = self.revision.swap(current, Ordering::AcqRel) != current;
        if changed {
            self.known.pin().clear();
        }
        Ok(changed)
    }

    /// The tenants that are served now.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(crate) async fn active(&self) -> Result<Vec<TenantId>, StoreError> {
        let all = self.store.list().await?;
        Ok(all.into_iter().filter(|record| record.state == State::Active).map(|record| record.id).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use async_trait::async_trait;

    use super::*;
    use crate::tenancy::TenantRecord;

    /// Counts lookups and answers after a turn of the scheduler, so that lookups overlap.
    struct Slow {
        lookups: AtomicUsize,
        state: std::sync::Mutex<Option<State>>,
    }

    #[async_trait]
    impl DirectoryStore for Slow {
        async fn find(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError> {
            self.lookups.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let state = *self.state.lock().unwrap();
            Ok(state.map(|state| TenantRecord { state, ..TenantRecord::active(*id) }))
        }

        async fn list(&self) -> Result<Vec<TenantRecord>, StoreError> {
            Ok(Vec::new())
        }

        async fn insert(&self, _: &TenantId) -> Result<(), StoreError> {
            Ok(())
        }

        async fn advance(&self, _: &TenantId, _: State, _: State) -> Result<bool, StoreError> {
            Ok(true)
        }

        async fn set_version(&self, _: &TenantId, _: &str) -> Result<(), StoreError> {
            Ok(())
        }

        async fn remove(&self, _: &TenantId) -> Result<(), StoreError> {
            Ok(())
        }

        async fn revision(&self) -> Result<i64, StoreError> {
            Ok(7)
        }
    }

    fn slow(state: Option<State>) -> (Arc<Slow>, Directory) {
        let store = Arc::new(Slow { lookups: AtomicUsize::new(0), state: std::sync::Mutex::new(state) });
        let directory = Directory::new(store.clone(), Duration::from_secs(60));
        (store, directory)
    }

    #[tokio::test]
    async fn many_requests_for_one_tenant_ask_the_store_once() {
        let (store, directory) = slow(Some(State::Active));
        let acme = TenantId::parse("acme").unwrap();
        let asked = (0..100).map(|_| directory.admit(&acme));
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(*answer.unwrap().id(), acme);
        }
        assert_eq!(store.lookups.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn only_an_active_tenant_is_admitted() {
        for state in [None, Some(State::Provisioning), Some(State::Deleting)] {
            let (_, directory) = slow(state);
            let answer = directory.admit(&TenantId::parse("acme").unwrap()).await;
            assert!(matches!(answer, Err(TenancyError::Unknown)), "{state:?}");
        }
    }

    #[tokio::test]
    async fn a_tenant_that_is_forgotten_is_looked_up_again() {
        let (store, directory) = slow(None);
        let acme = TenantId::parse("acme").unwrap();
        assert!(directory.admit(&acme).await.is_err());
        *store.state.lock().unwrap() = Some(State::Active);
        assert!(directory.admit(&acme).await.is_err(), "an unknown name is remembered for a second");
        directory.forget(&acme);
        assert!(directory.admit(&acme).await.is_ok());
    }

    #[tokio::test]
    async fn a_change_during_a_lookup_is_not_overwritten_by_what_the_lookup_read() {
        let (store, directory) = slow(Some(State::Active));
        let acme = TenantId::parse("acme").unwrap();
        let (admitted, ()) = tokio::join!(directory.admit(&acme), async {
            *store.state.lock().unwrap() = Some(State::Active);
            directory.forget(&acme);
        });
        assert!(admitted.is_ok());
        assert!(directory.remembered(&acme).is_none(), "read before the change, so not remembered");
    }
}
