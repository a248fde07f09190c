//! Which tenants exist, looked up once and remembered.

use std::collections::{HashMap, HashSet};
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

/// What was found when all tenants were read.
pub(crate) struct Survey {
    pub(crate) records: Vec<TenantRecord>,
    /// Lives that were known before and are over.
    pub(crate) ended: Vec<(TenantId, i64)>,
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
        if let Some(cache) = &self.settings.rules.plans.cache {
            let there: HashSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
            // One that came while the records were read is held by who told the cache of it.
            cache.retain(&|name| there.contains(name) || self.lives.is_held(name));
        }
        self.surveyed.store(revision, Ordering::Release);
        Ok(records)
    }

    /// As [`Directory::survey`], and which lives have ended: of those that this process has admitted and not seen deleted, and of the
    /// `others` that it knows of.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(crate) async fn survey_of(
        &self,
        others: impl IntoIterator<Item = (TenantId, i64)>,
    ) -> Result<Survey, StoreError> {
        // Before the store is read: a tenant that is created while it is read is not among the records, and has not ended.
        let known: HashSet<(TenantId, i64)> = self.lives.all().into_iter().chain(others).collect();
        let records = self.survey().await?;
        let lives: HashMap<TenantId, i64> = records.iter().map(|record| (record.id, record.life)).collect();
        let ended = known.into_iter().filter(|(id, life)| lives.get(id) != Some(life)).collect();
        Ok(Survey { records, ended })
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
mod tests;
