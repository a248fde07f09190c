//! Jobs in the memory of this process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::ready;

use super::backend::{Answer, SchedulerBackend, Ticks, Work};
use super::job::{JobEntry, JobKey, Owner};
use super::{Schedule, SchedulerError};
use crate::tenancy::TenantId;

/// Jobs by owner and id, and by schedule. They are gone after a restart.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Jobs>);

#[derive(Default)]
struct Jobs {
    by_owner: HashMap<Owner, BTreeMap<Arc<str>, JobEntry>>,
    by_schedule: HashMap<Schedule, HashSet<JobKey>>,
    closed: HashSet<Owner>,
    resting: HashSet<Owner>,
}

impl Memory {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    fn put(&mut self, mut entry: JobEntry) -> Result<(), SchedulerError> {
        if let Owner::Tenant(tenant) = entry.key.owner
            && self.closed.contains(&entry.key.owner)
        {
            return Err(SchedulerError::TenantDeleted { tenant });
        }
        let earlier = self.remove(&entry.key);
        if let Some(earlier) = &earlier {
            entry.paused |= earlier.paused;
            if earlier.schedule == entry.schedule {
                entry.since = earlier.since;
            }
        }
        self.by_schedule.entry(entry.schedule.clone()).or_default().insert(entry.key.clone());
        self.by_owner.entry(entry.key.owner).or_default().insert(Arc::clone(&entry.key.id), entry);
        Ok(())
    }

    fn get(&self, key: &JobKey) -> Option<&JobEntry> {
        self.by_owner.get(&key.owner)?.get(&key.id)
    }

    fn get_mut(&mut self, key: &JobKey) -> Option<&mut JobEntry> {
        self.by_owner.get_mut(&key.owner)?.get_mut(&key.id)
    }

    fn remove(&mut self, key: &JobKey) -> Option<JobEntry> {
        let jobs = self.by_owner.get_mut(&key.owner)?;
        let entry = jobs.remove(&key.id)?;
        if jobs.is_empty() {
            self.by_owner.remove(&key.owner);
        }
        self.unschedule(&entry);
        Some(entry)
    }

    fn unschedule(&mut self, entry: &JobEntry) {
        if let Some(keys) = self.by_schedule.get_mut(&entry.schedule) {
            keys.remove(&entry.key);
            if keys.is_empty() {
                self.by_schedule.remove(&entry.schedule);
            }
        }
    }

    fn close(&mut self, owner: Owner) {
        self.closed.insert(owner);
        self.resting.remove(&owner);
        let jobs = self.by_owner.remove(&owner).unwrap_or_default();
        for entry in jobs.values() {
            self.unschedule(entry);
        }
    }

    fn activate(
        &mut self,
        owners: Vec<(Owner, i64)>,
        declared: Vec<JobEntry>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Schedule>, SchedulerError> {
        let mut schedules: HashSet<Schedule> = HashSet::new();
        for (owner, _) in owners {
            self.closed.remove(&owner);
            // Those that came due once meanwhile are awaited again.
            schedules.extend(self.set_resting(owner, false, now));
        }
        for entry in declared {
            schedules.insert(entry.schedule.clone());
            self.put(entry)?;
        }
        Ok(schedules.into_iter().collect())
    }

    fn set_paused(&mut self, key: &JobKey, paused: bool, now: DateTime<Utc>) -> Option<JobEntry> {
        let entry = self.get_mut(key)?;
        if entry.paused && !paused {
            entry.since = now;
        }
        entry.paused = paused;
        Some(entry.clone())
    }

    fn set_resting(&mut self, owner: Owner, resting: bool, now: DateTime<Utc>) -> Vec<Schedule> {
        let changed = if resting { self.resting.insert(owner) } else { self.resting.remove(&owner) };
        let Some(jobs) = self.by_owner.get_mut(&owner).filter(|_| changed) else { return Vec::new() };
        if !resting {
            jobs.values_mut().for_each(|entry| entry.since = now);
        }
        jobs.values().map(|entry| entry.schedule.clone()).collect()
    }

    fn due(&mut self, schedule: &Schedule, tick: DateTime<Utc>) -> Option<Vec<JobEntry>> {
        let keys = self.by_schedule.get(schedule)?;
        let takes_part = |entry: &&JobEntry| {
            let rests = entry.paused || self.resting.contains(&entry.key.owner);
            !rests && (schedule.is_once() || entry.since < tick)
        };
        let due: Vec<_> = keys.iter().filter_map(|key| self.get(key)).filter(takes_part).cloned().collect();
        if schedule.is_once() {
            for entry in &due {
                self.remove(&entry.key);
            }
        }
        Some(due)
    }
}

impl SchedulerBackend for Memory {
    fn open(&self, owner: Owner, _life: i64) -> Answer<'_, ()> {
        self.jobs().closed.remove(&owner);
        ready(Ok(())).boxed()
    }

    // This process is the only one, and takes one step of a tenant's life after the other.
    fn close(&self, owner: Owner, _life: i64) -> Answer<'_, ()> {
        self.jobs().close(owner);
        ready(Ok(())).boxed()
    }

    fn activate(
        &self,
        owners: Vec<(Owner, i64)>,
        declared: Vec<JobEntry>,
        now: DateTime<Utc>,
    ) -> Answer<'_, Vec<Schedule>> {
        ready(self.jobs().activate(owners, declared, now)).boxed()
    }

    fn put(&self, entry: JobEntry) -> Answer<'_, ()> {
        ready(self.jobs().put(entry)).boxed()
    }

    fn put_within<'a>(&'a self, entry: JobEntry, tenant: &'a TenantId, most: usize) -> Answer<'a, ()> {
        let mut jobs = self.jobs();
        let present = jobs.by_owner.get(&entry.key.owner);
        let has = present.into_iter().flat_map(BTreeMap::values).filter(|job| !job.declared).count();
        let fits = has < most || jobs.get(&entry.key).is_some();
        let put = if fits { jobs.put(entry) } else { Err(SchedulerError::TooMany { tenant: *tenant, most }) };
        ready(put).boxed()
    }

    fn remove<'a>(&'a self, key: &'a JobKey) -> Answer<'a, Option<JobEntry>> {
        ready(Ok(self.jobs().remove(key))).boxed()
    }

    fn get<'a>(&'a self, key: &'a JobKey) -> Answer<'a, Option<JobEntry>> {
        ready(Ok(self.jobs().get(key).cloned())).boxed()
    }

    fn list(&self, owner: Owner) -> Answer<'_, Vec<JobEntry>> {
        let list = self.jobs().by_owner.get(&owner).map(|jobs| jobs.values().cloned().collect());
        ready(Ok(list.unwrap_or_default())).boxed()
    }

    fn set_paused<'a>(
        &'a self,
        key: &'a JobKey,
        paused: bool,
        now: DateTime<Utc>,
    ) -> Answer<'a, Option<JobEntry>> {
        ready(Ok(self.jobs().set_paused(key, paused, now))).boxed()
    }

    fn set_resting(&self, owner: Owner, resting: bool, now: DateTime<Utc>) -> Answer<'_, Vec<Schedule>> {
        ready(Ok(self.jobs().set_resting(owner, resting, now))).boxed()
    }

    fn work(&self) -> Work<'_> {
        Work::Agenda(self)
    }
}

impl Ticks for Memory {
    fn schedules(&self) -> Answer<'_, Vec<Schedule>> {
        ready(Ok(self.jobs().by_schedule.keys().cloned().collect())).boxed()
    }

    fn due<'a>(&'a self, schedule: &'a Schedule, tick: DateTime<Utc>) -> Answer<'a, Option<Vec<JobEntry>>> {
        ready(Ok(self.jobs().due(schedule, tick))).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scheduler::{JobCall, Rules};
    use crate::tenancy::TenantId;

    fn time(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn job(id: &str, since: i64) -> JobEntry {
        JobEntry {
            key: JobKey { owner: Owner::Tenant(TenantId::parse("acme").unwrap()), id: id.into() },
            call: JobCall::new("orders", "report"),
            schedule: Schedule::every(Duration::from_secs(10)).unwrap(),
            rules: Rules::default(),
            declared: false,
            paused: false,
            since: time(since),
        }
    }

    async fn due(memory: &Memory, tick: i64) -> Option<Vec<String>> {
        let due = memory.due(&job("", 0).schedule, time(tick)).await.unwrap()?;
        let mut ids: Vec<_> = due.iter().map(|entry| entry.key.to_string()).collect();
        ids.sort();
        Some(ids)
    }

    #[tokio::test]
    async fn a_job_has_no_part_in_ticks_before_it_came() {
        let memory = Memory::default();
        assert_eq!(due(&memory, 20).await, None);
        memory.put(job("early", 5)).await.unwrap();
        memory.put(job("late", 21)).await.unwrap();
        assert_eq!(due(&memory, 20).await.unwrap(), ["acme:early"]);
        assert_eq!(due(&memory, 30).await.unwrap(), ["acme:early", "acme:late"]);
    }

    #[tokio::test]
    async fn a_job_that_is_stored_again_keeps_its_part_in_a_tick() {
        let memory = Memory::default();
        memory.put(job("job", 5)).await.unwrap();
        memory.put(job("job", 21)).await.unwrap();
        assert_eq!(due(&memory, 20).await.unwrap(), ["acme:job"]);
        let other = JobEntry { schedule: Schedule::at(time(99)), ..job("job", 21) };
        memory.put(other).await.unwrap();
        assert_eq!(due(&memory, 20).await, None, "nothing is left under the earlier schedule");
    }

    #[tokio::test]
    async fn a_job_that_was_resumed_has_no_part_in_ticks_of_its_pause() {
        let memory = Memory::default();
        let entry = job("job", 5);
        memory.put(entry.clone()).await.unwrap();
        memory.set_paused(&entry.key, true, time(15)).await.unwrap();
        assert!(due(&memory, 20).await.unwrap().is_empty());
        memory.set_paused(&entry.key, false, time(21)).await.unwrap();
        assert!(due(&memory, 20).await.unwrap().is_empty());
        assert_eq!(due(&memory, 30).await.unwrap(), ["acme:job"]);
    }
}
