//! One [`Tenant`] per life, for as long as anybody holds it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::tenant::WeakTenant;
use super::{Tenant, TenantId, TenantRecord};

/// How many may be remembered before those that nobody holds are looked for.
const FIRST_SWEEP: usize = 1024;

/// The lives that somebody in this process holds. Whoever is to be told that his tenant has ended is found here, however long
/// ago the directory's memory made room for others; a life that nobody holds needs no telling.
#[derive(Default)]
pub(super) struct Lives(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// With its life, which is known also when nobody holds it any more.
    lives: HashMap<TenantId, (i64, WeakTenant)>,
    /// At this size it is swept.
    sweep_at: usize,
}

impl Lives {
    /// The tenant in the life of the record. An earlier one has ended; `true` when it was there.
    pub(super) fn of(&self, record: &TenantRecord) -> (Tenant, bool) {
        let mut held = self.held();
        let present = held.lives.get(&record.id).and_then(|(_, tenant)| tenant.upgrade());
        let mut has_ended_one = false;
        if let Some(tenant) = present {
            if tenant.is_of(record) {
                return (tenant, false);
            }
            tenant.end();
            has_ended_one = true;
        }
        let tenant = Tenant::admit_as(record);
        held.sweep();
        held.lives.insert(record.id, (record.life, tenant.downgrade()));
        (tenant, has_ended_one)
    }

    /// The present one, if anybody holds it.
    pub(super) fn present(&self, id: &TenantId) -> Option<Tenant> {
        self.held().lives.get(id).and_then(|(_, tenant)| tenant.upgrade())
    }

    /// Whether anybody holds one of this name.
    pub(super) fn is_held(&self, name: &str) -> bool {
        let held = self.held();
        held.lives.get(name.as_bytes()).is_some_and(|(_, tenant)| tenant.upgrade().is_some())
    }

    /// Ends the present one.
    pub(super) fn end(&self, id: &TenantId) {
        if let Some(tenant) = self.held().lives.remove(id).and_then(|(_, tenant)| tenant.upgrade()) {
            tenant.end();
        }
    }

    /// Ends this life, if it is the present one.
    pub(super) fn end_life(&self, id: &TenantId, life: i64) {
        let mut held = self.held();
        if held.lives.get(id).is_some_and(|(present, _)| *present == life)
            && let Some((_, tenant)) = held.lives.remove(id)
            && let Some(tenant) = tenant.upgrade()
        {
            tenant.end();
        }
    }

    /// Those that were made and not ended, with their lives.
    pub(super) fn all(&self) -> Vec<(TenantId, i64)> {
        self.held().lives.iter().map(|(id, (life, _))| (*id, *life)).collect()
    }

    pub(super) fn clear(&self) {
        self.held().lives.clear();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Half of them are new since the last time, so each costs a constant.
    fn sweep(&mut self) {
        if self.lives.len() >= self.sweep_at.max(FIRST_SWEEP) {
            self.lives.retain(|_, (_, tenant)| tenant.upgrade().is_some());
            self.sweep_at = self.lives.len() * 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, life: i64) -> TenantRecord {
        TenantRecord { life, ..TenantRecord::active(TenantId::parse(name).unwrap()) }
    }

    #[test]
    fn a_life_is_one_for_all_who_hold_it_and_ends_for_all() {
        let lives = Lives::default();
        let (one, _) = lives.of(&record("acme", 1));
        let (other, has_ended_one) = lives.of(&record("acme", 1));
        assert!(!has_ended_one && !one.has_ended());
        lives.end(one.id());
        assert!(one.has_ended() && other.has_ended());
        let (next, has_ended_one) = lives.of(&record("acme", 2));
        assert!(!next.has_ended() && !has_ended_one);
        assert!(lives.of(&record("acme", 3)).1 && next.has_ended());
    }

    #[test]
    fn what_nobody_holds_is_swept_and_what_somebody_holds_is_found() {
        let lives = Lives::default();
        let (held, _) = lives.of(&record("held", 1));
        for number in 0..FIRST_SWEEP * 4 {
            drop(lives.of(&record(&format!("t{number}"), 1)));
        }
        assert!(lives.all().len() <= FIRST_SWEEP * 2, "{}", lives.all().len());
        lives.end(held.id());
        assert!(held.has_ended());
    }
}
