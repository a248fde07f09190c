//! Which tenants exist, looked up once and remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering, fence};
use std::time::Duration;

use super::lives::Lives;
use super::memory::Memory;
use super::refused::Refused;
use super::turns::Turns;
use super::{
    DirectoryStore, SettingsRules, State, StoreError, Suspended, TenancyError, Tenant, TenantId, TenantRecord,
};

/// How long an unknown name is remembered. Short, so that a tenant that another process creates is not hidden.
const UNKNOWN_TTL: Duration = Duration::from_secs(1);

/// How long the store may take. After that the answer is 503, and the tenants in memory are served on.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// How long the store may take when memory has an answer that was true not long ago.
const STALE_AFTER: Duration = Duration::from_secs(1);

/// Which tenants exist and in what state.
///
/// A hit is answered from memory without a query, an allocation or a lock. A miss asks the store once, however many
/// requests wait for it; no lookup holds a database connection across a handler.
pub struct Directory {
    store: Arc<dyn DirectoryStore>,
    settings: DirectorySettings,
    known: Memory,
    clock: CoarseClock,
    /// Names that the store has told to be nobody's, or of tenants that are not routable: nobody can tell the two apart.
    unknown: Refused<()>,
    suspended: Refused<Arc<Suspended>>,
    /// One [`Tenant`] per life of a tenant that somebody in this process holds.
    lives: Lives,
    /// Tenants that this process cannot serve now, whatever the store says.
    held: papaya::HashMap<TenantId, Hold>,
    lookups: Turns,
    /// Counts what happened to the memory, so that a lookup notices what it was overtaken by.
    epoch: AtomicU64,
    revision: AtomicI64,
    /// The revision that the last survey was of, at least.
    surveyed: AtomicI64,
    /// Whether the store could not be asked the last time that its revision was.
    is_away: AtomicBool,
    /// When the store was asked with success the last time, by the clock.
    reached: AtomicU64,
}

/// How a directory is set up.
#[derive(Clone, Default)]
pub(crate) struct DirectorySettings {
    /// How long a lookup of a tenant may be served from memory.
    pub(crate) ttl: Duration,
    /// How many tenants are remembered.
    pub(crate) capacity: usize,
    /// How long tenants are served from memory while the store cannot be asked.
    pub(crate) stale_for: Duration,
    /// Whether `public` is a tenant: it is as the default one only.
    pub(crate) serves_public: bool,
    /// How many plugins there are, each with a slot for its contexts.
    pub(crate) plugins: usize,
    /// What settings a tenant has.
    pub(crate) rules: SettingsRules,
}

/// Why a tenant is not served although the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Its data does not fit the binary. A migration ends it.
    Outdated,
    /// It is being created or deleted, and the store has no state for that. Only the end of that work ends it.
    HalfMade,
}

/// How what was read of the directory before is to be judged now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outlook {
    /// See [`Directory::epoch`].
    pub(super) epoch: u64,
    /// Whether the store could not be asked the last time.
    pub(super) is_away: bool,
    /// Whether it was asked not so long ago that what was read then must not be believed any more.
    pub(super) is_recent: bool,
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

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Directory {
    /// A directory over a store.
    pub(crate) fn new(store: Arc<dyn DirectoryStore>, settings: DirectorySettings) -> Self {
        Self {
            store,
            known: Memory::new(settings.capacity, settings.plugins),
            settings,
            clock: CoarseClock::default(),
            unknown: Refused::default(),
            suspended: Refused::default(),
            lives: Lives::default(),
            held: papaya::HashMap::new(),
            lookups: Turns::default(),
            epoch: AtomicU64::new(0),
            revision: AtomicI64::new(0),
            surveyed: AtomicI64::new(0),
            is_away: AtomicBool::new(false),
            reached: AtomicU64::new(0),
        }
    }

    /// What the directory is kept in.
    pub(crate) fn store(&self) -> &Arc<dyn DirectoryStore> {
        &self.store
    }

    /// What settings a tenant has.
    pub(crate) fn rules(&self) -> &SettingsRules {
        &self.settings.rules
    }

    /// The tenant, if memory can tell that it is active.
    #[inline]
    pub(crate) fn remembered(&self, id: &TenantId) -> Option<Tenant> {
        self.remembered_as(id.as_bytes())
    }

    /// As [`Directory::remembered`], for bytes that need not be an id: those of no id are never remembered.
    #[inline]
    pub(crate) fn remembered_as(&self, name: &[u8]) -> Option<Tenant> {
        self.known.fresh(name, self.clock.now())
    }

    /// The context of a remembered tenant for the plugin in `slot`, unless the tenant's plan limits its requests.
    #[inline]
    pub(crate) fn context<C: Send + Sync + 'static>(
        &self,
        name: &[u8],
        slot: usize,
        make: impl FnOnce(&Tenant) -> C,
    ) -> Option<Arc<C>> {
        self.known.context(name, self.clock.now(), slot, make)
    }

    /// The remembered context of a tenant that was admitted already, for the same life of it only.
    pub(crate) fn context_of<C: Send + Sync + 'static>(
        &self,
        tenant: &Tenant,
        slot: usize,
        make: impl FnOnce(&Tenant) -> C,
    ) -> Option<Arc<C>> {
        self.known.context_of(tenant, slot, make)
    }

    /// A number that changes whenever what the directory keeps may have changed: nothing that was read before is to be
    /// believed after.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(super) fn outlook(&self) -> Outlook {
        let epoch = self.epoch();
        Outlook { epoch, is_away: self.is_away.load(Ordering::Acquire), is_recent: self.is_recent() }
    }

    /// Whether what was seen last may be believed while nobody can be asked.
    fn is_recent(&self) -> bool {
        let until =
            self.reached.load(Ordering::Relaxed).saturating_add(milliseconds(self.settings.stale_for));
        self.clock.now() < until
    }

    /// Notes a change of what is kept besides the tenants themselves. For the process that makes it.
    pub(crate) fn changed(&self) {
        self.move_on();
    }

    /// Forgets everything, also the contexts, which hold the app that holds this.
    pub(crate) fn clear(&self) {
        self.move_on();
        self.known.clear();
        self.unknown.clear();
        self.suspended.clear();
        self.lives.clear();
    }

    /// Moves the clock on. Called several times a second while the app serves; in a process that serves nothing what is
    /// remembered does not age.
    pub(crate) fn tick(&self, since_start: Duration) {
        self.clock.now.store(milliseconds(since_start), Ordering::Relaxed);
    }

    /// Admits a tenant: it exists and is active.
    ///
    /// While the store cannot be asked, a tenant that was active when it was seen last is admitted for `tenancy.stale_for`.
    ///
    /// # Errors
    /// [`TenancyError::Unknown`], [`TenancyError::Suspended`], [`TenancyError::Held`], or [`TenancyError::Unavailable`] when the
    /// store cannot be asked within 5 s.
    ///
    /// Cancellation safe: a dropped lookup leaves nothing behind.
    pub async fn admit(&self, id: &TenantId) -> Result<Tenant, TenancyError> {
        if let Some(known) = self.known_for_certain(id) {
            return known;
        }
        if id.is_public() && !self.settings.serves_public {
            return Err(TenancyError::Unknown);
        }
        if self.is_away.load(Ordering::Acquire) {
            return self
                .stale(id)
                .unwrap_or(Err(TenancyError::Unavailable { id: *id, source: StoreError::Away }));
        }
        let has_stale = self.known.any(id).is_some() && !self.settings.stale_for.is_zero();
        let limit = if has_stale { STALE_AFTER } else { LOOKUP_LIMIT };
        let asked = tokio::time::timeout(limit, self.look_up(id)).await;
        match asked.unwrap_or(Err(StoreError::Slow { limit })) {
            Ok(answer) => answer,
            Err(source) => self.stale(id).unwrap_or(Err(TenancyError::Unavailable { id: *id, source })),
        }
    }

    /// What memory knows for certain.
    fn known_for_certain(&self, id: &TenantId) -> Option<Result<Tenant, TenancyError>> {
        if let Some(tenant) = self.remembered(id) {
            return Some(Ok(tenant));
        }
        if self.unknown.fresh(id).is_some() {
            return Some(Err(TenancyError::Unknown));
        }
        self.suspended.fresh(id).map(|suspended| Err(TenancyError::Suspended(suspended)))
    }

    /// What was seen last of a tenant while nobody can be asked. What was seen to be deleted or suspended is never taken for
    /// active: it was forgotten when that was seen.
    fn stale(&self, id: &TenantId) -> Option<Result<Tenant, TenancyError>> {
        if !self.is_recent() {
            return None;
        }
        if let Some(suspended) = self.suspended.any(id) {
            return Some(Err(TenancyError::Suspended(suspended)));
        }
        self.known.any(id).filter(|tenant| !tenant.has_ended()).map(Ok)
    }

    /// Asks the store, once for all who wait for the same tenant.
    async fn look_up(&self, id: &TenantId) -> Result<Result<Tenant, TenancyError>, StoreError> {
        let _turn = self.lookups.of(id).await;
        if let Some(known) = self.known_for_certain(id) {
            return Ok(known);
        }
        // Read before the row: whatever happens from here on is noticed below.
        let epoch = self.epoch();
        let found = self.store.find_routable(id).await?;
        self.reached.store(self.clock.now(), Ordering::Relaxed);
        Ok(match found {
            Some(record) if record.state == State::Active && self.held.pin().contains_key(id) => {
                Err(TenancyError::Held)
            }
            Some(record) if record.state == State::Active => {
                let tenant = self.living(&record);
                self.suspended.forget(id);
                self.known.remember(&tenant, self.until());
                if self.has_moved_since(epoch) {
                    self.known.forget(id);
                }
                // A change that overtook the lookup may have emptied the memory; what was read then still was true.
                Ok(tenant)
            }
            Some(record) if record.state == State::Suspended => {
                self.known.forget(id);
                let suspended = Arc::new(Suspended { id: *id, reason: record.reason });
                self.suspended.remember(*id, Arc::clone(&suspended), self.settings.ttl);
                if self.has_moved_since(epoch) {
                    self.suspended.forget(id);
                }
                Err(TenancyError::Suspended(suspended))
            }
            _ => {
                self.known.forget(id);
                self.suspended.forget(id);
                // A managed directory may only have said that it is not routable; who was deleted is found by the survey.
                if !self.store.is_managed() {
                    self.lives.end(id);
                }
                self.unknown.remember(*id, (), self.settings.ttl.min(UNKNOWN_TTL));
                if self.has_moved_since(epoch) {
                    self.unknown.forget(id);
                }
                Err(TenancyError::Unknown)
            }
        })
    }

    /// Says that what is read from now on is newer than what was read before.
    fn move_on(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }

    /// Asked after something was remembered. Either this sees the change, or the change sees what was remembered: without the
    /// fences a processor may let both look before both have written.
    fn has_moved_since(&self, epoch: u64) -> bool {
        fence(Ordering::SeqCst);
        self.epoch() != epoch
    }

    /// Until when what is read now may be served.
    fn until(&self) -> u64 {
        self.clock.now().saturating_add(milliseconds(self.settings.ttl))
    }

    /// The tenant in the life that the record tells of, whatever its state. An earlier life ends.
    ///
    /// For its creation and deletion; requests are [admitted](Directory::admit).
    pub(crate) fn living(&self, record: &TenantRecord) -> Tenant {
        let (tenant, has_ended_one) = self.lives.of(record);
        if has_ended_one {
            self.forget(&record.id);
        }
        tenant.see(&record.profile, &self.settings.rules);
        tenant
    }

    /// Ends the present life of a tenant: whoever still holds it can do nothing more with it.
    pub(crate) fn end(&self, id: &TenantId) {
        self.lives.end(id);
        self.forget(id);
    }

    /// As [`Directory::end`], for one life: another one of this name goes on.
    pub(crate) fn end_life(&self, id: &TenantId, life: i64) {
        self.lives.end_life(id, life);
        self.forget(id);
    }

    /// The tenants that this process has admitted and not seen deleted, with their lives.
    pub(crate) fn all_living(&self) -> Vec<(TenantId, i64)> {
        self.lives.all()
    }

    /// Forgets what memory holds of a tenant. For the process that changes it.
    pub(crate) fn forget(&self, id: &TenantId) {
        self.move_on();
        self.known.forget(id);
        self.unknown.forget(id);
        self.suspended.forget(id);
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
    ///
    /// After a failure nobody waits for the store, until it has been asked with success again.
    pub(crate) async fn refresh(&self) -> Result<bool, StoreError> {
        let asked = tokio::time::timeout(LOOKUP_LIMIT, self.store.revision()).await;
        let asked = asked.unwrap_or(Err(StoreError::Slow { limit: LOOKUP_LIMIT }));
        self.is_away.store(asked.is_err(), Ordering::Release);
        let current = asked?;
        let changed = self.revision.swap(current, Ordering::AcqRel) != current;
        // What is remembered is as old as the first change since then of which no more is known than that there was one.
        if self.store.is_managed() && self.surveyed.load(Ordering::Acquire) == current {
            self.reached.store(self.clock.now(), Ordering::Relaxed);
        }
        if changed {
            self.move_on();
            self.known.expire();
            self.unknown.clear();
            self.suspended.expire();
        }
        Ok(changed)
    }

    /// Reads all tenants. What is remembered of one that is active still need not be asked for again; of another it is
    /// forgotten.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(crate) async fn survey(&self) -> Result<Vec<TenantRecord>, StoreError> {
        let (epoch, revision) = (self.epoch(), self.revision.load(Ordering::Acquire));
        let records = self.store.list().await?;
        for record in &records {
            let present = self.lives.present(&record.id).filter(|tenant| tenant.is_of(record));
            match present {
                Some(tenant) if record.state == State::Active => {
                    tenant.see(&record.profile, &self.settings.rules);
                    self.known.confirm(&tenant, self.until());
                    if self.has_moved_since(epoch) {
                        self.known.forget(&record.id);
                    }
                }
                _ => self.known.forget(&record.id),
            }
            // A lookup that was overtaken by the deletion may have admitted it. Not where it has been restored meanwhile.
            if record.state == State::SoftDeleted && !self.has_moved_since(epoch) {
                self.lives.end_life(&record.id, record.life);
            }
        }
        self.surveyed.store(revision, Ordering::Release);
        Ok(records)
    }

    /// Whether a tenant of this record is served, as far as the store can tell.
    pub(crate) fn is_served(&self, record: &TenantRecord) -> bool {
        record.state == State::Active && (self.settings.serves_public || !record.id.is_public())
    }

    /// The tenants that are served now.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(crate) async fn active(&self) -> Result<Vec<TenantRecord>, StoreError> {
        let mut all = self.store.list().await?;
        all.retain(|record| self.is_served(record));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use async_trait::async_trait;

    use super::super::Change;
    use super::super::refused::CAPACITY;
    use super::*;

    /// Counts lookups and answers after a turn of the scheduler, so that lookups overlap.
    #[derive(Default)]
    struct Slow {
        lookups: AtomicUsize,
        state: std::sync::Mutex<Option<State>>,
        listed: std::sync::Mutex<Vec<TenantRecord>>,
        revision: AtomicI64,
        is_away: AtomicBool,
        /// It tells that there was a change, and not which.
        tells_revision_only: AtomicBool,
    }

    #[async_trait]
    impl DirectoryStore for Slow {
        async fn find(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError> {
            self.lookups.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if self.is_away.load(Ordering::SeqCst) || self.tells_revision_only.load(Ordering::SeqCst) {
                return Err(StoreError::Away);
            }
            let state = *self.state.lock().unwrap();
            let reason = state.filter(|state| *state == State::Suspended).map(|_| "why".to_owned());
            Ok(state.map(|state| TenantRecord { state, reason, ..TenantRecord::active(*id) }))
        }

        async fn list(&self) -> Result<Vec<TenantRecord>, StoreError> {
            if self.is_away.load(Ordering::SeqCst) || self.tells_revision_only.load(Ordering::SeqCst) {
                return Err(StoreError::Away);
            }
            Ok(self.listed.lock().unwrap().clone())
        }

        fn is_managed(&self) -> bool {
            true
        }

        async fn insert(&self, _: &TenantId, _: &[Arc<str>]) -> Result<(), StoreError> {
            Ok(())
        }

        async fn advance_because(
            &self,
            _: &TenantId,
            _: i64,
            _: State,
            _: State,
            _: Option<&str>,
        ) -> Result<bool, StoreError> {
            Ok(true)
        }

        async fn change(&self, _: &TenantId, _: &Change<'_>) -> Result<(), StoreError> {
            Ok(())
        }

        async fn soft_delete(
            &self,
            _: &TenantId,
            _: i64,
            _: State,
            _: chrono::DateTime<chrono::Utc>,
        ) -> Result<bool, StoreError> {
            Ok(true)
        }

        async fn restore(&self, _: &TenantId, _: i64) -> Result<Option<State>, StoreError> {
            Ok(None)
        }

        async fn end_soft_deletion(
            &self,
            _: &TenantId,
            _: i64,
            _: chrono::DateTime<chrono::Utc>,
        ) -> Result<bool, StoreError> {
            Ok(true)
        }

        async fn set_version(&self, _: &TenantId, _: &str) -> Result<(), StoreError> {
            Ok(())
        }

        async fn remove(&self, _: &TenantId, _: i64) -> Result<(), StoreError> {
            Ok(())
        }

        async fn revision(&self) -> Result<i64, StoreError> {
            if self.is_away.load(Ordering::SeqCst) {
                return Err(StoreError::Away);
            }
            Ok(7 + self.revision.load(Ordering::SeqCst))
        }
    }

    fn slow(state: Option<State>) -> (Arc<Slow>, Directory) {
        let store = Arc::new(Slow { state: std::sync::Mutex::new(state), ..Slow::default() });
        let settings = DirectorySettings {
            ttl: Duration::from_secs(60),
            stale_for: Duration::from_secs(600),
            capacity: 1000,
            plugins: 1,
            ..DirectorySettings::default()
        };
        let directory = Directory::new(store.clone(), settings);
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
        for state in [None, Some(State::Provisioning), Some(State::Deleting), Some(State::Failed)] {
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
        for number in 0..CAPACITY + 10 {
            assert!(directory.admit(&TenantId::parse(&format!("x{number}")).unwrap()).await.is_err());
        }
        assert!(directory.remembered(&acme).is_some());
        assert!(directory.unknown.len() <= CAPACITY);
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

    /// A directory whose store can go away.
    fn away() -> (Arc<Slow>, Directory, impl Fn(bool)) {
        let (store, directory) = slow(Some(State::Active));
        let switch = Arc::clone(&store);
        (store, directory, move |is_away| switch.is_away.store(is_away, Ordering::SeqCst))
    }

    #[tokio::test]
    async fn known_tenants_are_served_for_a_while_when_the_store_is_away_and_nobody_else() {
        let (store, directory, go_away) = away();
        let [acme, globex] = ["acme", "globex"].map(|name| TenantId::parse(name).unwrap());
        directory.refresh().await.unwrap();
        directory.admit(&acme).await.unwrap();
        // What is remembered is too old by now.
        directory.tick(Duration::from_secs(61));
        go_away(true);
        assert!(directory.admit(&acme).await.is_ok(), "found out by the lookup");
        assert!(matches!(directory.admit(&globex).await, Err(TenancyError::Unavailable { .. })));
        assert!(directory.refresh().await.is_err());
        let asked = store.lookups.load(Ordering::SeqCst);
        assert!(directory.admit(&acme).await.is_ok());
        let refused = directory.admit(&globex).await;
        assert!(matches!(refused, Err(TenancyError::Unavailable { source: StoreError::Away, .. })));
        assert_eq!(store.lookups.load(Ordering::SeqCst), asked, "nobody waits for a store that is away");
        directory.tick(Duration::from_secs(601));
        assert!(matches!(directory.admit(&acme).await, Err(TenancyError::Unavailable { .. })), "too long");
        go_away(false);
        directory.refresh().await.unwrap();
        assert!(directory.admit(&acme).await.is_ok() && directory.admit(&globex).await.is_ok());
    }

    #[tokio::test]
    async fn what_was_seen_to_be_suspended_or_deleted_is_not_served_when_the_store_is_away() {
        for seen in [Some(State::Suspended), Some(State::Deleting), Some(State::Failed), None] {
            let (store, directory, go_away) = away();
            let acme = TenantId::parse("acme").unwrap();
            directory.refresh().await.unwrap();
            directory.admit(&acme).await.unwrap();
            *store.state.lock().unwrap() = seen;
            store.revision.fetch_add(1, Ordering::SeqCst);
            assert!(directory.refresh().await.unwrap());
            assert!(directory.admit(&acme).await.is_err());
            directory.tick(Duration::from_secs(61));
            go_away(true);
            assert!(directory.refresh().await.is_err());
            if seen == Some(State::Suspended) {
                assert!(matches!(directory.admit(&acme).await, Err(TenancyError::Suspended(_))));
            }
            // The refusals are remembered for a while only, and not more of them than there is room for.
            directory.unknown.clear();
            directory.suspended.clear();
            let refused = directory.admit(&acme).await;
            assert!(matches!(refused, Err(TenancyError::Unavailable { .. })), "{seen:?}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn after_a_change_a_tenant_is_served_while_the_store_is_away() {
        let (store, directory, go_away) = away();
        let acme = TenantId::parse("acme").unwrap();
        directory.refresh().await.unwrap();
        directory.admit(&acme).await.unwrap();
        // Of somebody else, and then nobody can be asked any more.
        store.revision.fetch_add(1, Ordering::SeqCst);
        directory.refresh().await.unwrap();
        go_away(true);
        assert!(directory.remembered(&acme).is_none());
        assert!(directory.admit(&acme).await.is_ok());
    }

    #[tokio::test]
    async fn what_a_change_made_doubtful_is_served_for_a_while_only() {
        let (store, directory) = slow(Some(State::Active));
        let acme = TenantId::parse("acme").unwrap();
        *store.listed.lock().unwrap() = vec![TenantRecord::active(acme)];
        directory.refresh().await.unwrap();
        directory.survey().await.unwrap();
        directory.admit(&acme).await.unwrap();
        directory.tick(Duration::from_secs(500));
        directory.refresh().await.unwrap();
        store.tells_revision_only.store(true, Ordering::SeqCst);
        store.revision.fetch_add(1, Ordering::SeqCst);
        for (second, is_served) in [(1_000, true), (1_099, true), (1_101, false)] {
            directory.tick(Duration::from_secs(second));
            directory.refresh().await.unwrap();
            assert!(directory.survey().await.is_err());
            assert_eq!(directory.admit(&acme).await.is_ok(), is_served, "at {second} s");
        }
        store.tells_revision_only.store(false, Ordering::SeqCst);
        directory.survey().await.unwrap();
        assert!(directory.admit(&acme).await.is_ok());
    }

    #[tokio::test]
    async fn a_survey_spares_the_lookups_after_a_change() {
        let (store, directory) = slow(Some(State::Active));
        let [acme, globex] = ["acme", "globex"].map(|name| TenantId::parse(name).unwrap());
        directory.refresh().await.unwrap();
        directory.admit(&acme).await.unwrap();
        let context = directory.context(b"acme", 0, Tenant::life).unwrap();
        store.revision.fetch_add(1, Ordering::SeqCst);
        directory.refresh().await.unwrap();
        assert!(directory.remembered(&acme).is_none());
        *store.listed.lock().unwrap() = vec![TenantRecord::active(acme), TenantRecord::active(globex)];
        directory.survey().await.unwrap();
        assert!(Arc::ptr_eq(&context, &directory.context(b"acme", 0, Tenant::life).unwrap()));
        assert!(directory.remembered(&globex).is_none(), "nobody has asked for it yet");
        let suspended = TenantRecord { state: State::Suspended, ..TenantRecord::active(acme) };
        *store.listed.lock().unwrap() = vec![suspended];
        directory.survey().await.unwrap();
        assert!(directory.remembered(&acme).is_none());
    }

    #[tokio::test]
    async fn a_tenant_that_was_forgotten_for_want_of_room_still_ends() {
        let store = slow(Some(State::Active)).0;
        let settings =
            DirectorySettings { ttl: Duration::from_secs(60), capacity: 16, ..DirectorySettings::default() };
        let directory = Directory::new(store, settings);
        let acme = TenantId::parse("acme").unwrap();
        let held = directory.admit(&acme).await.unwrap();
        for number in 0..200 {
            directory.admit(&TenantId::parse(&format!("t{number}")).unwrap()).await.unwrap();
        }
        assert!(directory.remembered(&acme).is_none() && !held.has_ended());
        let again = directory.admit(&acme).await.unwrap();
        assert!(again.is_same(&held), "one proof per life");
        directory.end(&acme);
        assert!(held.has_ended() && again.has_ended());
    }

    #[tokio::test]
    async fn a_suspended_tenant_is_refused_with_its_reason_and_goes_on_in_its_life() {
        let (store, directory) = slow(Some(State::Active));
        let acme = TenantId::parse("acme").unwrap();
        let held = directory.admit(&acme).await.unwrap();
        *store.state.lock().unwrap() = Some(State::Suspended);
        directory.forget(&acme);
        for _ in 0..3 {
            let Err(TenancyError::Suspended(why)) = directory.admit(&acme).await else { panic!("admitted") };
            assert_eq!(why.reason.as_deref(), Some("why"));
        }
        assert_eq!(store.lookups.load(Ordering::SeqCst), 2, "a refusal is remembered");
        assert!(!held.has_ended());
        *store.state.lock().unwrap() = Some(State::Active);
        directory.forget(&acme);
        assert!(directory.admit(&acme).await.unwrap().is_same(&held));
    }
}
