//! Which tenants exist, looked up once and remembered.

use std::any::Any;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::turns::Turns;
use super::{DirectoryStore, State, StoreError, TenancyError, Tenant, TenantId, TenantRecord};

/// How long an unknown name is remembered. Short, so that a tenant that another process creates is not hidden.
const UNKNOWN_TTL: Duration = Duration::from_secs(1);

/// How many unknown names are remembered. A flood of made-up names empties this memory, and no other.
const UNKNOWN_CAPACITY: usize = 10_000;

/// How long the store may take. After that the answer is 503, and the tenants in memory are served on.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// Which tenants exist and in what state.
///
/// A hit is answered from memory without a query, an allocation or a lock. A miss asks the store once, however many
/// requests wait for it; no lookup holds a database connection across a handler.
pub struct Directory {
    store: Arc<dyn DirectoryStore>,
    /// Whether `public` is a tenant: it is as the default one only.
    serves_public: bool,
    /// How many plugins there are, each with a slot for its contexts.
    plugins: usize,
    known: papaya::HashMap<TenantId, Known, foldhash::fast::RandomState>,
    clock: CoarseClock,
    unknown: papaya::HashMap<TenantId, Instant>,
    /// One [`Tenant`] per life of a tenant that this process has admitted.
    living: papaya::HashMap<TenantId, Tenant>,
    /// Tenants that this process cannot serve now, whatever the store says.
    held: papaya::HashMap<TenantId, Hold>,
    lookups: Turns,
    ttl: Duration,
    /// Counts what happened to the memory, so that a lookup notices what it was overtaken by.
    epoch: AtomicU64,
    revision: AtomicI64,
}

/// Why a tenant is not served although the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Its data does not fit the binary. A migration ends it.
    Outdated,
    /// It is being created or deleted, and the store has no state for that. Only the end of that work ends it.
    HalfMade,
}

struct Known {
    tenant: Tenant,
    /// Its contexts, one per plugin, made when they are first wanted. Making one for every request costs a dozen counted references,
    /// each of which all cores share.
    contexts: Box<[OnceLock<Arc<dyn Any + Send + Sync>>]>,
    /// By the [`CoarseClock`].
    until: u64,
}

impl Known {
    #[inline]
    fn context<C: Send + Sync + 'static>(
        &self,
        slot: usize,
        make: impl FnOnce(&Tenant) -> C,
    ) -> Option<Arc<C>> {
        let context = self.contexts.get(slot)?.get_or_init(|| Arc::new(make(&self.tenant)));
        Arc::downcast(Arc::clone(context)).ok()
    }
}

/// Milliseconds since the directory was made, as of the last tick. Reading the real clock for every request costs as much as the
/// lookup itself.
#[derive(Default)]
struct CoarseClock {
    now: AtomicU64,
}

impl CoarseClock {
    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }
}

impl Directory {
    /// A directory over a store. `ttl` is how long a lookup of a tenant may be served from memory.
    pub(crate) fn new(
        store: Arc<dyn DirectoryStore>,
        ttl: Duration,
        serves_public: bool,
        plugins: usize,
    ) -> Self {
        Self {
            store,
            serves_public,
            plugins,
            known: papaya::HashMap::default(),
            clock: CoarseClock::default(),
            unknown: papaya::HashMap::new(),
            living: papaya::HashMap::new(),
            held: papaya::HashMap::new(),
            lookups: Turns::default(),
            ttl,
            epoch: AtomicU64::new(0),
            revision: AtomicI64::new(0),
        }
    }

    /// What the directory is kept in.
    pub(crate) fn store(&self) -> &Arc<dyn DirectoryStore> {
        &self.store
    }

    /// The tenant, if memory can tell that it is active.
    #[inline]
    pub(crate) fn remembered(&self, id: &TenantId) -> Option<Tenant> {
        self.remembered_as(id.as_bytes())
    }

    /// As [`Directory::remembered`], for bytes that need not be an id: those of no id are never remembered.
    #[inline]
    pub(crate) fn remembered_as(&self, name: &[u8]) -> Option<Tenant> {
        let known = self.known.pin();
        let found = known.get(name)?;
        (found.until > self.clock.now()).then(|| found.tenant.clone())
    }

    /// The context of a remembered tenant for the plugin in `slot`.
    #[inline]
    pub(crate) fn context<C: Send + Sync + 'static>(
        &self,
        name: &[u8],
        slot: usize,
        make: impl FnOnce(&Tenant) -> C,
    ) -> Option<Arc<C>> {
        let known = self.known.pin();
        let found = known.get(name)?;
        if found.until <= self.clock.now() {
            return None;
        }
        found.context(slot, make)
    }

    /// The remembered context of a tenant that was admitted already, for the same life of it only.
    pub(crate) fn context_of<C: Send + Sync + 'static>(
        &self,
        tenant: &Tenant,
        slot: usize,
        make: impl FnOnce(&Tenant) -> C,
    ) -> Option<Arc<C>> {
        let known = self.known.pin();
        let found = known.get(tenant.id().as_bytes())?;
        if found.tenant.life() != tenant.life() {
            return None;
        }
        found.context(slot, make)
    }

    /// A number that changes whenever what the directory keeps may have changed: nothing that was read before is to be
    /// believed after.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Notes a change of what is kept besides the tenants themselves. For the process that makes it.
    pub(crate) fn changed(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Forgets everything, also the contexts, which hold the app that holds this.
    pub(crate) fn clear(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.known.pin().clear();
        self.unknown.pin().clear();
        self.living.pin().clear();
    }

    /// Moves the clock on. Called several times a second while the app serves; in a process that serves nothing what is
    /// remembered does not age.
    pub(crate) fn tick(&self, since_start: Duration) {
        self.clock.now.store(u64::try_from(since_start.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Admits a tenant: it exists and is active.
    ///
    /// # Errors
    /// [`TenancyError::Unknown`], [`TenancyError::Held`], or [`TenancyError::Unavailable`] when the store cannot be asked
    /// within 5 s.
    ///
    /// Cancellation safe: a dropped lookup leaves nothing behind.
    pub async fn admit(&self, id: &TenantId) -> Result<Tenant, TenancyError> {
        if let Some(tenant) = self.remembered(id) {
            return Ok(tenant);
        }
        if self.is_known_to_be_unknown(id) || (id.is_public() && !self.serves_public) {
            return Err(TenancyError::Unknown);
        }
        let unavailable = |source| TenancyError::Unavailable { id: *id, source };
        let asked = tokio::time::timeout(LOOKUP_LIMIT, self.look_up(id)).await;
        asked.unwrap_or(Err(StoreError::Slow { limit: LOOKUP_LIMIT })).map_err(unavailable)??;
        // A change that overtook the lookup may have emptied the memory; what was read then still was true.
        self.remembered(id).or_else(|| self.living.pin().get(id).cloned()).ok_or(TenancyError::Unknown)
    }

    fn is_known_to_be_unknown(&self, id: &TenantId) -> bool {
        self.unknown.pin().get(id).is_some_and(|until| *until > Instant::now())
    }

    /// Asks the store, once for all who wait for the same tenant.
    async fn look_up(&self, id: &TenantId) -> Result<Result<(), TenancyError>, StoreError> {
        let _turn = self.lookups.of(id).await;
        if self.remembered(id).is_some() {
            return Ok(Ok(()));
        }
        if self.is_known_to_be_unknown(id) {
            return Ok(Err(TenancyError::Unknown));
        }
        // Read before the row: whatever happens from here on is noticed below.
        let epoch = self.epoch.load(Ordering::Acquire);
        Ok(match self.store.find(id).await? {
            Some(record) if record.state == State::Active && self.held.pin().contains_key(id) => {
                Err(TenancyError::Held)
            }
            Some(record) if record.state == State::Active => {
                let ttl = u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX);
                let until = self.clock.now().saturating_add(ttl);
                let contexts = (0..self.plugins).map(|_| OnceLock::new()).collect();
                let known = Known { tenant: self.living(&record), contexts, until };
                self.remember(&self.known, *id, known, epoch);
                Ok(())
            }
            other => {
                // Deleted, perhaps by another process.
                if other.is_none()
                    && let Some(tenant) = self.living.pin().remove(id)
                {
                    tenant.end();
                }
                if self.unknown.len() >= UNKNOWN_CAPACITY {
                    self.unknown.pin().clear();
                }
                let until = Instant::now() + self.ttl.min(UNKNOWN_TTL);
                self.remember(&self.unknown, *id, until, epoch);
                Err(TenancyError::Unknown)
            }
        })
    }

    fn remember<V, S: BuildHasher>(
        &self,
        memory: &papaya::HashMap<TenantId, V, S>,
        id: TenantId,
        value: V,
        epoch: u64,
    ) {
        let memory = memory.pin();
        memory.insert(id, value);
        if self.epoch.load(Ordering::Acquire) != epoch {
            memory.remove(&id);
        }
    }

    /// The tenant in the life that the record tells of, whatever its state. An earlier life ends.
    ///
    /// For its creation and deletion; requests are [admitted](Directory::admit).
    pub(crate) fn living(&self, record: &TenantRecord) -> Tenant {
        let living = self.living.pin();
        // Nor does a life go on elsewhere: what was made for the old server must not be used on, should somebody move the tenant.
        let is_other =
            |tenant: &&Tenant| tenant.life() != record.life || tenant.server() != record.server.as_deref();
        if let Some(earlier) = living.get(&record.id).filter(is_other) {
            let earlier = earlier.clone();
            self.forget(&record.id);
            earlier.end();
            living.remove(&record.id);
        }
        living
            .get_or_insert_with(record.id, || Tenant::admit_on(record.id, record.life, record.server.clone()))
            .clone()
    }

    /// Ends the present life of a tenant: whoever still holds it can do nothing more with it.
    pub(crate) fn end(&self, id: &TenantId) {
        if let Some(tenant) = self.living.pin().remove(id) {
            tenant.end();
        }
        self.forget(id);
    }

    /// The tenants that this process has admitted and not seen deleted, with their lives.
    pub(crate) fn all_living(&self) -> Vec<(TenantId, i64)> {
        self.living.pin().values().map(|tenant| (*tenant.id(), tenant.life())).collect()
    }

    /// Forgets what memory holds of a tenant. For the process that changes it.
    pub(crate) fn forget(&self, id: &TenantId) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.known.pin().remove(id);
        self.unknown.pin().remove(id);
    }

    /// Refuses a tenant with 503 until it is released.
    pub(crate) fn hold(&self, id: &TenantId, why: Hold) {
        self.held.pin().insert(*id, why);
        self.forget(id);
    }

    /// Ends what [`Directory::hold`] began, if it was for this reason.
    pub(crate) fn release_from(&self, id: &TenantId, why: Hold) {
        if matches!(self.held.pin().remove_if(id, |_, held| *held == why), Ok(Some(_))) {
            self.forget(id);
        }
    }

    /// Ends what [`Directory::hold`] began, whatever the reason.
    pub(crate) fn release(&self, id: &TenantId) {
        if self.held.pin().remove(id).is_some() {
            self.forget(id);
        }
    }

    /// Notices changes that other processes made; `true` when there were any.
    pub(crate) async fn refresh(&self) -> Result<bool, StoreError> {
        let current = self.store.revision().await?;
        let changed = self.revision.swap(current, Ordering::AcqRel) != current;
        if changed {
            self.epoch.fetch_add(1, Ordering::AcqRel);
            self.known.pin().clear();
            self.unknown.pin().clear();
        }
        Ok(changed)
    }

    /// The tenants that are served now.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(crate) async fn active(&self) -> Result<Vec<TenantRecord>, StoreError> {
        let mut all = self.store.list().await?;
        all.retain(|record| record.state == State::Active && (self.serves_public || !record.id.is_public()));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use async_trait::async_trait;

    use super::*;

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

        async fn insert(&self, _: &TenantId, _: &[Arc<str>]) -> Result<(), StoreError> {
            Ok(())
        }

        async fn advance(&self, _: &TenantId, _: i64, _: State, _: State) -> Result<bool, StoreError> {
            Ok(true)
        }

        async fn set_version(&self, _: &TenantId, _: &str) -> Result<(), StoreError> {
            Ok(())
        }

        async fn remove(&self, _: &TenantId, _: i64) -> Result<(), StoreError> {
            Ok(())
        }

        async fn revision(&self) -> Result<i64, StoreError> {
            Ok(7)
        }
    }

    fn slow(state: Option<State>) -> (Arc<Slow>, Directory) {
        let store = Arc::new(Slow { lookups: AtomicUsize::new(0), state: std::sync::Mutex::new(state) });
        let directory = Directory::new(store.clone(), Duration::from_secs(60), false, 1);
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
    async fn a_tenant_that_is_held_is_refused_for_as_long_as_there_is_one() {
        let (store, directory) = slow(Some(State::Active));
        let acme = TenantId::parse("acme").unwrap();
        directory.admit(&acme).await.unwrap();
        directory.hold(&acme, Hold::HalfMade);
        directory.release_from(&acme, Hold::Outdated);
        assert!(matches!(directory.admit(&acme).await, Err(TenancyError::Held)));
        for state in [Some(State::Deleting), None] {
            *store.state.lock().unwrap() = state;
            directory.forget(&acme);
            assert!(matches!(directory.admit(&acme).await, Err(TenancyError::Unknown)), "{state:?}");
        }
        *store.state.lock().unwrap() = Some(State::Active);
        directory.release_from(&acme, Hold::HalfMade);
        assert!(directory.admit(&acme).await.is_ok());
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

    #[tokio::test]
    async fn a_flood_of_made_up_names_evicts_no_tenant() {
        let (store, directory) = slow(Some(State::Active));
        let acme = TenantId::parse("acme").unwrap();
        directory.admit(&acme).await.unwrap();
        *store.state.lock().unwrap() = None;
        for number in 0..UNKNOWN_CAPACITY + 10 {
            assert!(directory.admit(&TenantId::parse(&format!("x{number}")).unwrap()).await.is_err());
        }
        assert!(directory.remembered(&acme).is_some());
        assert!(directory.unknown.len() <= UNKNOWN_CAPACITY);
    }

    #[tokio::test]
    async fn a_new_life_ends_the_one_before() {
        let (_, directory) = slow(Some(State::Active));
        let acme = TenantId::parse("acme").unwrap();
        let first = directory.living(&TenantRecord { life: 1, ..TenantRecord::active(acme) });
        let same = directory.living(&TenantRecord { life: 1, ..TenantRecord::active(acme) });
        assert!(!first.has_ended());
        let second = directory.living(&TenantRecord { life: 2, ..TenantRecord::active(acme) });
        assert!(first.has_ended() && same.has_ended() && !second.has_ended());
        let record = TenantRecord { life: 2, ..TenantRecord::active(acme) };
        let moved = directory.living(&TenantRecord { server: Some("eu".into()), ..record });
        assert!(second.has_ended() && moved.server() == Some("eu"));
        directory.end(&acme);
        assert!(moved.has_ended());
    }

    #[tokio::test]
    async fn a_context_is_made_once_per_life_of_a_tenant() {
        let (_, directory) = slow(Some(State::Active));
        let [acme, globex] = ["acme", "globex"].map(|name| TenantId::parse(name).unwrap());
        let context = |id: &TenantId| directory.context(id.as_bytes(), 0, |tenant| tenant.to_string());
        assert!(context(&acme).is_none(), "nobody has been admitted");
        directory.admit(&acme).await.unwrap();
        directory.admit(&globex).await.unwrap();
        let first = context(&acme).unwrap();
        assert!(Arc::ptr_eq(&first, &context(&acme).unwrap()));
        assert_eq!((first.as_str(), context(&globex).unwrap().as_str()), ("acme", "globex"));
        directory.end(&acme);
        assert!(context(&acme).is_none());
    }

    #[tokio::test]
    async fn what_is_remembered_ages_with_the_clock() {
        let (store, directory) = slow(Some(State::Active));
        let acme = TenantId::parse("acme").unwrap();
        directory.admit(&acme).await.unwrap();
        assert!(directory.remembered_as(b"acme").is_some() && directory.remembered_as(b"ACME").is_none());
        directory.tick(Duration::from_secs(61));
        assert!(directory.remembered(&acme).is_none());
        directory.admit(&acme).await.unwrap();
        assert_eq!(store.lookups.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn public_is_a_tenant_only_where_it_is_the_default() {
        let (_, directory) = slow(Some(State::Active));
        let public = TenantId::parse("public").unwrap();
        assert!(matches!(directory.admit(&public).await, Err(TenancyError::Unknown)));
    }
}
