//! The tenants that a directory remembers, so many and no more.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{Tenant, TenantId};

/// The part of the memory that is made free at once, so that looking for it costs each insertion a constant.
const PART: usize = 16;

/// A large prime, whose multiples are spread over any number of tenants.
const STRIDE: usize = 2_654_435_761;

/// Tenants by name. A read takes no lock and allocates nothing.
pub(super) struct Memory {
    known: papaya::HashMap<TenantId, Known, foldhash::fast::RandomState>,
    /// How many plugins there are, each with a slot for its contexts.
    plugins: usize,
    capacity: usize,
    /// How often room was looked for. Who holds it makes room.
    looks: Mutex<usize>,
}

struct Known {
    tenant: Tenant,
    /// Its contexts, one per plugin, made when they are first wanted. Making one for every request costs a dozen counted references,
    /// each of which all cores share.
    contexts: Box<[OnceLock<Arc<dyn Any + Send + Sync>>]>,
    /// By the directory's clock. 0: it has to be asked for anew.
    until: AtomicU64,
    /// Since it was looked at for room the last time.
    is_used: AtomicBool,
    /// [`Tenant::is_limited`], beside what every request reads anyway.
    is_limited: AtomicBool,
}

impl Known {
    #[inline]
    fn is_fresh(&self, now: u64) -> bool {
        let is_fresh = self.until.load(Ordering::Relaxed) > now;
        // Read before it is written: all cores share what is only read.
        if is_fresh && !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
        is_fresh
    }

    /// The plan may have changed since.
    fn confirm(&self, until: u64) {
        self.is_limited.store(self.tenant.is_limited(), Ordering::Relaxed);
        self.until.store(until, Ordering::Relaxed);
    }

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

impl Memory {
    pub(super) fn new(capacity: usize, plugins: usize) -> Self {
        let known = papaya::HashMap::default();
        Self { known, plugins, capacity: capacity.max(1), looks: Mutex::default() }
    }

    #[inline]
    pub(super) fn fresh(&self, name: &[u8], now: u64) -> Option<Tenant> {
        let known = self.known.pin();
        let found = known.get(name)?;
        found.is_fresh(now).then(|| found.tenant.clone())
    }

    /// Also when it has to be asked for anew.
    pub(super) fn any(&self, id: &TenantId) -> Option<Tenant> {
        self.known.pin().get(id).map(|found| found.tenant.clone())
    }

    /// `None` also for a tenant whose plan limits its requests: those are counted first, on a way of their own.
    #[inline]
    pub(super) fn context<C: Send + Sync + 'static>(
        &self,
        name: &[u8],
        now: u64,
        slot: usize,
        make: impl FnOnce(&Tenant) -> C,
    ) -> Option<Arc<C>> {
        let known = self.known.pin();
        let found = known.get(name)?;
        if !found.is_fresh(now) || found.is_limited.load(Ordering::Relaxed) {
            return None;
        }
        found.context(slot, make)
    }

    /// As [`Memory::context`], for a tenant that was admitted already.
    pub(super) fn context_of<C: Send + Sync + 'static>(
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

    /// Remembers a tenant, with the contexts that were made for it.
    pub(super) fn remember(&self, tenant: &Tenant, until: u64) {
        let known = self.known.pin();
        if let Some(found) = known.get(tenant.id()).filter(|found| found.tenant.is_same(tenant)) {
            found.confirm(until);
            return;
        }
        if known.len() >= self.capacity {
            self.make_room();
        }
        let contexts = (0..self.plugins).map(|_| OnceLock::new()).collect();
        // Not yet used: one that is asked for once makes room before those that are asked for again and again.
        let (until, is_used) = (AtomicU64::new(until), AtomicBool::new(false));
        let is_limited = AtomicBool::new(tenant.is_limited());
        known.insert(*tenant.id(), Known { tenant: tenant.clone(), contexts, until, is_used, is_limited });
    }

    /// Another look has confirmed what is remembered; what is not remembered stays so.
    pub(super) fn confirm(&self, tenant: &Tenant, until: u64) {
        if let Some(found) = self.known.pin().get(tenant.id()).filter(|found| found.tenant.is_same(tenant)) {
            found.confirm(until);
        }
    }

    pub(super) fn forget(&self, id: &TenantId) {
        self.known.pin().remove(id);
    }

    /// All have to be asked for anew. They are kept, for the time when nobody can be asked.
    pub(super) fn expire(&self) {
        for known in self.known.pin().values() {
            known.until.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn clear(&self) {
        self.known.pin().clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Forgets those that were not used since they were looked at the last time. Each look begins somewhere else, so that it is
    /// not always the same ones that go. Who holds one of them goes on: that a tenant is forgotten here does not end it.
    fn make_room(&self) {
        // Reads do not come here. Who waits finds the room that was made meanwhile.
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known.pin();
        let len = known.len();
        if len < self.capacity {
            return;
        }
        let mut left = self.capacity.div_ceil(PART);
        *looks = looks.wrapping_add(1);
        let begin = looks.wrapping_mul(STRIDE) % len;
        // Whoever is spared in the first round is looked at again in the second, and should all be in use even then, some have to go.
        let rounds = known.iter().skip(begin).chain(&known).chain(&known).chain(&known);
        for (looked_at, (id, found)) in rounds.enumerate() {
            if left == 0 {
                return;
            }
            if found.is_used.swap(false, Ordering::Relaxed) && looked_at < 2 * len {
                continue;
            }
            left -= usize::from(known.remove(id).is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Plan, Plans, Profile, SettingsRules};
    use super::*;

    fn tenant(number: usize) -> Tenant {
        Tenant::admit(TenantId::parse(&format!("t{number}")).unwrap(), 1)
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for_and_those_in_use_stay() {
        let memory = Memory::new(64, 1);
        let all: Vec<Tenant> = (0..1_000).map(tenant).collect();
        for tenant in &all {
            memory.remember(tenant, 10);
            assert!(memory.len() <= 64, "{}", memory.len());
            // Asked for all the time.
            assert!(memory.fresh(b"t0", 1).is_some(), "forgotten at {tenant}");
        }
        assert!(memory.len() > 32);
        assert!(all.iter().all(|tenant| !tenant.has_ended()), "none has ended by being forgotten");
    }

    #[test]
    fn it_is_not_always_the_same_ones_that_make_room() {
        let memory = Memory::new(64, 1);
        for number in 0..64 {
            memory.remember(&tenant(number), 10);
        }
        // Nobody asks for any of them again, and all of them go in time.
        for number in 64..2_000 {
            memory.remember(&tenant(number), 10);
        }
        let left = (0..64).filter(|number| memory.any(tenant(*number).id()).is_some()).count();
        assert_eq!(left, 0);
    }

    #[test]
    fn many_at_once_find_room() {
        let memory = Memory::new(32, 1);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let memory = &memory;
                scope.spawn(move || {
                    for number in 0..2_000 {
                        memory.remember(&tenant(thread * 10_000 + number), 10);
                    }
                });
            }
        });
        assert!(memory.len() <= 32 + 4, "{}", memory.len());
    }

    #[test]
    fn a_tenant_whose_plan_limits_its_requests_has_no_context_on_the_quick_way() {
        let plan = Arc::new(Plan { concurrent_requests: Some(1), ..Plan::default() });
        let plans = Plans { by_name: Arc::new([("free".to_owned(), plan)].into()), ..Plans::default() };
        let rules = SettingsRules { plans, ..SettingsRules::default() };
        let (memory, tenant) = (Memory::new(8, 1), tenant(1));
        let has_context = || memory.context(b"t1", 1, 0, Tenant::life).is_some();
        memory.remember(&tenant, 10);
        assert!(has_context());
        tenant.see(&Profile { plan: Some("free".to_owned()), ..Profile::default() }, &rules);
        memory.confirm(&tenant, 10);
        assert!(!has_context() && memory.context_of(&tenant, 0, Tenant::life).is_some());
        memory.forget(tenant.id());
        memory.remember(&tenant, 10);
        assert!(!has_context());
        tenant.see(&Profile::default(), &rules);
        memory.remember(&tenant, 10);
        assert!(has_context());
    }

    #[test]
    fn what_is_confirmed_keeps_its_contexts_and_another_life_has_none_of_them() {
        let memory = Memory::new(8, 1);
        let first = tenant(1);
        memory.remember(&first, 10);
        let made = memory.context(b"t1", 1, 0, Tenant::life).unwrap();
        memory.expire();
        assert!(memory.fresh(b"t1", 1).is_none() && memory.any(first.id()).is_some());
        memory.remember(&first, 20);
        assert!(Arc::ptr_eq(&made, &memory.context(b"t1", 11, 0, Tenant::life).unwrap()));
        let second = Tenant::admit(*first.id(), 2);
        memory.confirm(&second, 30);
        assert!(memory.fresh(b"t1", 21).is_none(), "it was the first that was remembered");
        memory.remember(&second, 30);
        assert_eq!(*memory.context(b"t1", 21, 0, Tenant::life).unwrap(), 2);
    }
}
