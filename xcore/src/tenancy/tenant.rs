//! The proof that a tenant was admitted.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::plan::Plan;
use super::seats::Seats;
use super::usage::Usage;
use super::{Profile, ProfileError, SettingsRules, TenantId, TenantRecord, View};

/// A tenant that the [directory](super::Directory) has admitted: it exists and is active.
///
/// Only the framework makes one, so holding a `Tenant` is proof. Contexts and service handles hold a
/// `Tenant`, never a bare [`TenantId`]. Cloning is one reference count.
///
/// It stands for one life of the tenant, and outlasts its suspension: what was admitted before goes on to its end. When the tenant is deleted, every `Tenant` of that life ends with it: a context
/// that is still held somewhere fails from then on, also when the tenant has been restored or another one of the same name created since.
#[derive(Clone)]
pub struct Tenant(Arc<Admitted>);

struct Admitted {
    id: TenantId,
    life: i64,
    server: Option<Arc<str>>,
    has_ended: AtomicBool,
    /// As the directory saw it last.
    view: RwLock<Arc<View>>,
    /// Held by who changes the view and what follows from it, so that all of it is of one look at the directory.
    seeing: Mutex<()>,
    /// Whether its plan limits requests. Apart from the view, so that those of all others need not look there.
    is_limited: AtomicBool,
    /// Whether its plan limits its connections, in the same way.
    has_seats: AtomicBool,
    usage: Usage,
    seats: Seats,
}

/// A [`Tenant`] that this does not keep alive.
pub(super) struct WeakTenant(Weak<Admitted>);

impl WeakTenant {
    pub(super) fn upgrade(&self) -> Option<Tenant> {
        self.0.upgrade().map(Tenant)
    }
}

impl Tenant {
    /// Records an admission. The only caller is the directory, which makes one per life.
    pub(super) fn admit_as(record: &TenantRecord) -> Self {
        let view = RwLock::new(Arc::new(View::new(Profile::default(), &SettingsRules::default())));
        let (id, life, server) = (record.id, record.life, record.server.clone());
        Self(Arc::new(Admitted {
            id,
            life,
            server,
            has_ended: AtomicBool::new(false),
            view,
            seeing: Mutex::default(),
            is_limited: AtomicBool::new(false),
            has_seats: AtomicBool::new(false),
            usage: Usage::default(),
            seats: Seats::default(),
        }))
    }

    /// A tenant that no directory knows, on the only server there is.
    #[cfg(test)]
    pub(crate) fn admit(id: TenantId, life: i64) -> Self {
        Self::admit_on(id, life, None)
    }

    /// As [`Tenant::admit`], on one of several servers.
    #[cfg(test)]
    pub(crate) fn admit_on(id: TenantId, life: i64, server: Option<Arc<str>>) -> Self {
        Self::admit_as(&TenantRecord { life, server, ..TenantRecord::active(id) })
    }

    /// The server that holds its data, by its name in `services.database.servers`; `None` with one server or none.
    pub(crate) fn server(&self) -> Option<&str> {
        self.0.server.as_deref()
    }

    /// Whether it is the tenant of the record, in the same life. Nor does a life go on elsewhere: what was made for the old server
    /// must not be used on, should somebody move the tenant.
    pub(super) fn is_of(&self, record: &TenantRecord) -> bool {
        self.id() == &record.id && self.life() == record.life && self.server() == record.server.as_deref()
    }

    /// Whether it is this very admission, and not another one of the same name.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn downgrade(&self) -> WeakTenant {
        WeakTenant(Arc::downgrade(&self.0))
    }

    /// Notes what the directory has seen of it.
    pub(super) fn see(&self, profile: &Profile, rules: &SettingsRules) {
        if self.view().is_of(profile) {
            return;
        }
        let _seeing = self.0.seeing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.view().is_of(profile) {
            return;
        }
        let view = Arc::new(View::seen(self.id(), profile.clone(), rules));
        let plan = view.limits.as_deref();
        self.0.is_limited.store(plan.is_some_and(Plan::limits_requests), Ordering::Release);
        if let Some(plan) = plan {
            self.0.usage.fit(plan);
        }
        let seats = plan.and_then(|plan| plan.connections);
        self.0.seats.resize(seats);
        self.0.has_seats.store(seats.is_some(), Ordering::Release);
        if let Some(cache) = &rules.plans.cache {
            cache.limit(self.id(), plan.and_then(|plan| plan.cache_bytes));
        }
        *self.0.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.0.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether its plan limits its requests.
    #[inline]
    pub(crate) fn is_limited(&self) -> bool {
        self.0.is_limited.load(Ordering::Relaxed)
    }

    /// Its plan, if that limits its requests.
    pub(crate) fn request_limits(&self) -> Option<Arc<Plan>> {
        if !self.is_limited() {
            return None;
        }
        self.view().limits.clone().filter(|plan| plan.limits_requests())
    }

    /// A tenant whose plan has so many seats.
    #[cfg(test)]
    pub(crate) fn with_seats(id: TenantId, seats: u32) -> Self {
        let tenant = Self::admit(id, 1);
        tenant.0.seats.resize(Some(seats));
        tenant.0.has_seats.store(true, Ordering::Release);
        tenant
    }

    /// Whether its plan limits its connections, so that it has to [take a seat](Tenant::take_seat) before it takes one.
    #[inline]
    pub(crate) fn has_seats(&self) -> bool {
        self.0.has_seats.load(Ordering::Relaxed)
    }

    /// How many jobs that were added at run time it may have.
    pub(crate) fn most_jobs(&self) -> Option<usize> {
        self.view().limits.as_ref()?.jobs.map(|jobs| jobs as usize)
    }

    /// How many runs of its jobs may be under way at once.
    pub(super) fn most_runs(&self) -> Option<u32> {
        self.view().limits.as_ref()?.concurrent_jobs
    }

    pub(super) fn usage(&self) -> &Usage {
        &self.0.usage
    }

    pub(super) fn seats(&self) -> &Seats {
        &self.0.seats
    }

    /// What it has bought, as the directory saw it last: a change is seen within a second.
    #[must_use]
    pub fn plan(&self) -> Option<String> {
        self.view().profile.plan.clone()
    }

    /// What an operator has noted of it with `tenant set NAME KEY=VALUE`, as the directory saw it last.
    #[must_use]
    pub fn metadata(&self) -> Map<String, Value> {
        self.view().profile.metadata.clone()
    }

    /// Its settings: `tenancy.settings` of `xcore.yaml`, and over it what `tenant set NAME settings.KEY=VALUE` says, read as `T`. A
    /// change is seen within a second. They are read once, then shared.
    ///
    /// [`AppBuilder::tenant_settings`](crate::AppBuilder::tenant_settings) makes sure that they can be read, at the start and before
    /// a change is kept.
    ///
    /// # Errors
    /// When they do not fit `T`.
    pub fn settings<T: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<T>, ProfileError> {
        self.view().settings()
    }

    /// Which life of its name this is, see [`TenantRecord`](super::TenantRecord).
    pub(crate) fn life(&self) -> i64 {
        self.0.life
    }

    /// Ends this life: the tenant is being deleted.
    pub(crate) fn end(&self) {
        self.0.has_ended.store(true, Ordering::Release);
    }

    /// Whether the tenant was deleted. Every service asks before it touches data.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.has_ended.load(Ordering::Acquire)
    }

    /// The name of the tenant.
    #[must_use]
    pub fn id(&self) -> &TenantId {
        &self.0.id
    }
}

impl PartialEq for Tenant {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Tenant {}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(f)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tenant({})", self.id())
    }
}
