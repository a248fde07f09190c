//! What a tenant uses now, of what its plan allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Tenant;
use super::plan::{Plan, Rate};

const SECOND: u64 = 1_000_000_000;

/// What a tenant uses now. One per life of a tenant, so a change of its plan or a look at the directory gives nobody a fresh start.
pub(super) struct Usage {
    began: Instant,
    /// When the tenant would have rested enough to have its whole burst again, in nanoseconds since `began`: the theoretical
    /// arrival time of the generic cell rate algorithm (ITU-T I.371), which needs no more than this number.
    rested_at: AtomicU64,
    in_service: AtomicU32,
    /// How many runs of its jobs are under way.
    runs: AtomicU32,
}

/// How a tenant stands with its plan, after a request of it was taken or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How many requests it may send now.
    pub(crate) remaining: u32,
    /// Until it has its whole burst again.
    pub(crate) rested_in: Duration,
}

/// A request that is served, of a tenant whose plan limits them. Its place is free again when this is dropped.
pub(crate) struct Place {
    tenant: Tenant,
    pub(crate) plan: Arc<Plan>,
    /// `None` without `requests_per_second`.
    pub(crate) standing: Option<Standing>,
    /// With this one.
    pub(crate) in_service: u32,
}

/// A run of a job. Its place is free again when this is dropped.
pub(crate) struct JobPlace(Tenant);

/// Why a request was refused.
pub(crate) struct OverLimit {
    pub(crate) plan: Arc<Plan>,
    pub(crate) limit: Limit,
    /// When it is worth to try again.
    pub(crate) after: Duration,
    pub(crate) standing: Option<Standing>,
    pub(crate) in_service: u32,
}

/// A limit on requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    RequestsPerSecond(u32),
    ConcurrentRequests(u32),
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            rested_at: AtomicU64::new(0),
            in_service: AtomicU32::new(0),
            runs: AtomicU32::new(0),
        }
    }
}

impl Drop for JobPlace {
    fn drop(&mut self) {
        self.0.usage().runs.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.tenant.usage().in_service.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tenant {
    /// Takes a place for a request. What is refused uses nothing of the plan up.
    pub(crate) fn take_place(&self, plan: Arc<Plan>) -> Result<Place, OverLimit> {
        let usage = self.usage();
        let now = usage.now();
        let limit = plan.concurrent_requests.unwrap_or(u32::MAX);
        let entered = usage.in_service.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |in_service| {
            (in_service < limit).then(|| in_service + 1)
        });
        let in_service = match entered {
            Ok(others) => others + 1,
            Err(in_service) => {
                let standing = plan.rate.map(|rate| usage.standing(rate, now));
                let limit = Limit::ConcurrentRequests(limit);
                // Nobody knows how long the others take.
                return Err(OverLimit { plan, limit, after: Duration::from_secs(1), standing, in_service });
            }
        };
        // From here on its drop frees the place.
        let mut place = Place { tenant: self.clone(), plan, standing: None, in_service };
        let Some(rate) = place.plan.rate else { return Ok(place) };
        match usage.take(rate, now) {
            Ok(standing) => {
                place.standing = Some(standing);
                Ok(place)
            }
            Err(after) => Err(OverLimit {
                plan: Arc::clone(&place.plan),
                limit: Limit::RequestsPerSecond(rate.per_second),
                after,
                standing: Some(usage.standing(rate, now)),
                in_service: in_service - 1,
            }),
        }
    }
}

impl Tenant {
    /// Takes a place for a run of a job. `Err` with what the plan allows, when that is taken.
    pub(crate) fn take_job_place(&self) -> Result<JobPlace, u32> {
        let most = self.most_runs().unwrap_or(u32::MAX);
        let entered = self
            .usage()
            .runs
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |runs| (runs < most).then(|| runs + 1));
        entered.map(|_| JobPlace(self.clone())).map_err(|_| most)
    }
}

impl Usage {
    /// The plan has changed: nobody waits for longer than for the burst of the new one.
    pub(super) fn fit(&self, plan: &Plan) {
        let latest = self.now() + plan.rate.map_or(0, |rate| cost(rate) * u64::from(rate.burst));
        self.rested_at.fetch_min(latest, Ordering::Relaxed);
    }

    /// Takes a request, or says when there is one to be taken.
    fn take(&self, rate: Rate, now: u64) -> Result<Standing, Duration> {
        let (cost, room) = (cost(rate), cost(rate) * u64::from(rate.burst));
        let taken = self.rested_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |rested_at| {
            let next = rested_at.max(now) + cost;
            (next <= now + room).then_some(next)
        });
        match taken {
            Ok(before) => Ok(Standing::of(rate, before.max(now) + cost - now)),
            Err(rested_at) => Err(Duration::from_nanos(rested_at + cost - (now + room))),
        }
    }

    fn standing(&self, rate: Rate, now: u64) -> Standing {
        Standing::of(rate, self.rested_at.load(Ordering::Relaxed).saturating_sub(now))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX / 2)
    }
}

impl Standing {
    fn of(rate: Rate, tired: u64) -> Self {
        let free = (cost(rate) * u64::from(rate.burst)).saturating_sub(tired);
        let remaining = u32::try_from(free / cost(rate)).unwrap_or(rate.burst);
        Self { remaining, rested_in: Duration::from_nanos(tired) }
    }
}

/// How long a tenant has to rest for one request, in nanoseconds.
fn cost(rate: Rate) -> u64 {
    SECOND / u64::from(rate.per_second.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::TenantId;
    use super::*;

    fn tenant() -> Tenant {
        Tenant::admit(TenantId::parse("acme").unwrap(), 1)
    }

    fn plan(per_second: u32, burst: u32, concurrent: Option<u32>) -> Arc<Plan> {
        Arc::new(Plan {
            rate: Some(Rate { per_second, burst }),
            concurrent_requests: concurrent,
            ..Plan::default()
        })
    }

    /// The limit that stands in the way.
    fn refused(tenant: &Tenant, plan: &Arc<Plan>) -> Option<(Limit, Duration)> {
        tenant.take_place(Arc::clone(plan)).err().map(|over| (over.limit, over.after))
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_the_rate_and_a_refusal_says_when() {
        let (tenant, plan) = (tenant(), plan(10, 3, None));
        for left in [2, 1, 0] {
            let place = tenant.take_place(Arc::clone(&plan)).ok().unwrap();
            assert_eq!(place.standing.unwrap().remaining, left);
        }
        let tenth = Duration::from_millis(100);
        for _ in 0..50 {
            assert_eq!(
                refused(&tenant, &plan),
                Some((Limit::RequestsPerSecond(10), tenth)),
                "refused for free"
            );
        }
        tokio::time::advance(tenth).await;
        assert!(refused(&tenant, &plan).is_none() && refused(&tenant, &plan).is_some());
        tokio::time::advance(Duration::from_secs(3600)).await;
        let served = (0..10).filter(|_| refused(&tenant, &plan).is_none()).count();
        assert_eq!(served, 3, "a long rest saves up one burst and no more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_plan_neither_forgets_what_was_used_nor_lets_wait_for_the_old_one() {
        let (tenant, slow, fast) = (tenant(), plan(1, 100, None), plan(100, 10, None));
        while refused(&tenant, &slow).is_none() {}
        tenant.usage().fit(&fast);
        let (limit, after) = refused(&tenant, &fast).unwrap();
        assert_eq!((limit, after), (Limit::RequestsPerSecond(100), Duration::from_millis(10)));
    }

    #[tokio::test]
    async fn as_many_are_served_at_once_as_the_plan_allows_and_a_place_is_freed_by_its_end() {
        let (tenant, plan) = (tenant(), plan(1_000_000, 1_000_000, Some(2)));
        let first = tenant.take_place(Arc::clone(&plan)).ok().unwrap();
        let second = tenant.take_place(Arc::clone(&plan)).ok().unwrap();
        assert_eq!((first.in_service, second.in_service), (1, 2));
        assert_eq!(refused(&tenant, &plan).unwrap().0, Limit::ConcurrentRequests(2));
        drop(first);
        assert!(refused(&tenant, &plan).is_none());
    }

    #[test]
    fn many_threads_together_get_what_one_gets() {
        let tenant = tenant();
        let plan = plan(1, 500, Some(3));
        let served = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        if let Ok(place) = tenant.take_place(Arc::clone(&plan)) {
                            assert!(place.in_service <= 3);
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let served = served.into_inner();
        // A second or several may pass on a busy machine.
        assert!((500..=510).contains(&served), "{served}");
        assert_eq!(tenant.usage().in_service.load(Ordering::Relaxed), 0);
    }

    proptest! {
        /// Against a bucket that is filled with time, in whole numbers.
        #[test]
        fn the_rate_is_that_of_a_bucket(per_second in 1_u32..500, burst in 1_u32..50, rests in prop::collection::vec(0_u64..300_000_000, 1..200)) {
            let usage = Usage::default();
            let rate = Rate { per_second, burst };
            let (room, mut level, mut now) = (cost(rate) * u64::from(burst), cost(rate) * u64::from(burst), 0);
            for rest in rests {
                now += rest;
                level = (level + rest).min(room);
                let is_free = level >= cost(rate);
                match usage.take(rate, now) {
                    Ok(standing) => {
                        prop_assert!(is_free);
                        level -= cost(rate);
                        prop_assert_eq!(u64::from(standing.remaining), level / cost(rate));
                    }
                    Err(after) => {
                        prop_assert!(!is_free);
                        prop_assert_eq!(u64::try_from(after.as_nanos()).unwrap(), cost(rate) - level);
                    }
                }
            }
        }
    }
}
