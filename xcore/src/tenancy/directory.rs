//! Which tenants exist, looked up once and remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering, fence};
use std::time::Duration;

use super::lives::Lives;
use super::memory::Memory;
use super::refused::Refused;
use super::turns::Turns;
use super::{
    DirectoryStore, SettingsRules, State, StoreError, Suspended, TenancyError, Tenant, TenantId,
    TenantRecord, Window,
};

/// How long it is remembered that a name is unknown, or that a tenant's data does not fit. Short, so that a tenant that another process
/// creates or migrates is not hidden.
const REFUSED_TTL: Duration = Duration::from_secs(1);

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
    /// Tenants whose data does not fit this program, so that their requests do not all ask the store.
    outside: Refused<()>,
    /// One [`Tenant`] per life of a tenant that somebody in this process holds.
    lives: Lives,
    /// Tenants that are being created or deleted where the store has no state for that. Not served, whatever the store says.
    held: papaya::HashSet<TenantId>,
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
    /// Which versions of the tenants' data are served. `None`: whatever there is.
    pub(crate) window: Option<Arc<Window>>,
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
            outside: Refused::default(),
            lives: Lives::default(),
            held: papaya::HashSet::new(),
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
        self.outside.clear();
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
        if self.outside.fresh(id).is_some() {
            return Some(Err(TenancyError::Held));
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
        let is_outside = match &found {
            Some(record) => record.state == State::Active && !self.fits(record).await?,
            None => false,
        };
        self.reached.store(self.clock.now(), Ordering::Relaxed);
        Ok(match found {
            Some(record) if record.state == State::Active && self.held.pin().contains(id) => {
                Err(TenancyError::Held)
            }
            Some(_) if is_outside => {
                self.known.forget(id);
                self.suspended.forget(id);
                self.outside.remember(*id, (), self.settings.ttl.min(REFUSED_TTL));
                if self.has_moved_since(epoch) {
                    self.outside.forget(id);
                }
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
            // Not remembered: it takes a moment, and is told as what it is.
            Some(record) if record.state == State::Renaming => {
                self.known.forget(id);
                self.suspended.forget(id);
                Err(TenancyError::Held)
            }
            _ => {
                self.known.forget(id);
                self.suspended.forget(id);
                // A managed directory may only have said that it is not routable; who was deleted is found by the survey.
                if !self.store.is_managed() {
                    self.lives.end(id);
                }
                self.unknown.remember(*id, (), self.settings.ttl.min(REFUSED_TTL));
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
        self.outside.forget(id);
    }

    /// Whether the data of a tenant is of a version that this program serves. Only a store that keeps states knows.
    ///
    /// # Errors
    /// When the store cannot be asked about a version that is seen for the first time.
    pub(crate) async fn fits(&self, record: &TenantRecord) -> Result<bool, StoreError> {
        match &self.settings.window {
            Some(window) if self.store.is_managed() => {
                Ok(window.spans(window.gap(self.store.as_ref(), record.version.as_deref()).await?))
            }
            _ => Ok(true),
        }
    }

    /// Refuses a tenant with 503 until it is released: it is being created or deleted, and the store has no state for that.
    pub(crate) fn hold(&self, id: &TenantId) {
        self.held.pin().insert(*id);
        self.forget(id);
    }

    /// Ends what [`Directory::hold`] began.
    pub(crate) fn release(&self, id: &TenantId) {
        if self.held.pin().remove(id) {
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
            self.outside.clear();
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
                Some(tenant) if record.state == State::Active && self.fits(record).await? => {
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
    use std::collections::BTreeSet;
    use std::sync::atomic::AtomicUsize;

    use async_trait::async_trait;

    use super::super::refused::CAPACITY;
    use super::super::{Change, DataVersion, Gap};
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
        version: std::sync::Mutex<Option<String>>,
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
            let version = self.version.lock().unwrap().clone();
            Ok(state.map(|state| TenantRecord { state, reason, version, ..TenantRecord::active(*id) }))
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

        async fn migrations_of(&self, version: &str) -> Result<Option<BTreeSet<String>>, StoreError> {
            let migrations = version.split('+').map(str::to_owned).collect();
            Ok((version != "unheard of").then_some(migrations))
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
        directory.hold(&acme);
        assert!(matches!(directory.admit(&acme).await, Err(TenancyError::Held)));
        for state in [Some(State::Deleting), None] {
            *store.state.lock().unwrap() = state;
            directory.forget(&acme);
            assert!(matches!(directory.admit(&acme).await, Err(TenancyError::Unknown)), "{state:?}");
        }
        *store.state.lock().unwrap() = Some(State::Active);
        directory.release(&acme);
        assert!(directory.admit(&acme).await.is_ok());
    }

    #[tokio::test]
    async fn a_tenant_is_refused_while_another_program_has_migrated_its_data_too_far() {
        let store = slow(Some(State::Active)).0;
        let own = DataVersion {
            text: "own".to_owned(),
            migrations: ["a", "b"].into_iter().map(str::to_owned).collect(),
        };
        let window = Window::new(own, Gap { newer: 1, older: 0 });
        let settings = DirectorySettings {
            ttl: Duration::from_secs(60),
            stale_for: Duration::from_secs(600),
            capacity: 1000,
            window: Some(Arc::new(window)),
            ..DirectorySettings::default()
        };
        let directory = Directory::new(store.clone(), settings);
        let acme = TenantId::parse("acme").unwrap();
        let note = |version: Option<&str>| {
            *store.version.lock().unwrap() = version.map(str::to_owned);
            store.revision.fetch_add(1, Ordering::SeqCst);
        };
        let rows = [
            (Some("own"), true),
            (Some("a+b+c"), true),
            (Some("a+b+c+d"), false),
            (Some("own"), true),
            (Some("a"), false),
            (Some("unheard of"), false),
            (None, false),
            (Some("a+b"), true),
        ];
        for (version, is_served) in rows {
            note(version);
            assert!(directory.refresh().await.unwrap());
            let asked = store.lookups.load(Ordering::SeqCst);
            for _ in 0..3 {
                let admitted = directory.admit(&acme).await;
                let is_refused = matches!(admitted, Err(TenancyError::Held));
                assert!(
                    admitted.is_ok() == is_served && is_refused != is_served,
                    "{version:?}: {admitted:?}"
                );
            }
            assert_eq!(
                store.lookups.load(Ordering::SeqCst),
                asked + 1,
                "{version:?}: a refusal is remembered"
            );
        }
        // A survey refuses it as a lookup does.
        assert!(directory.remembered(&acme).is_some());
        let record =
            |version: &str| TenantRecord { version: Some(version.to_owned()), ..TenantRecord::active(acme) };
        *store.listed.lock().unwrap() = vec![record("a+b+c")];
        directory.survey().await.unwrap();
        assert!(directory.remembered(&acme).is_some());
        *store.listed.lock().unwrap() = vec![record("a+b+c+d")];
        directory.survey().await.unwrap();
        assert!(directory.remembered(&acme).is_none());
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
