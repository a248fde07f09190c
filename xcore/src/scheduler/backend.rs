//! What a place that stores jobs has to do. One file per backend implements it.

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use super::claims::Claims;
use super::job::{JobEntry, JobKey, Owner};
use super::queue::Queue;
use super::{Schedule, SchedulerError};
use crate::tenancy::TenantId;

/// The answer of a store.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, SchedulerError>>;

/// Stores jobs by owner and id. It neither knows the time nor runs anything: the driver asks it what is
/// due.
///
/// Each operation is atomic. Keys of two owners never meet.
pub(crate) trait SchedulerBackend: Send + Sync + 'static {
    /// Takes an owner on (again): its jobs may be stored. `life` tells tenants apart that had one name after each other.
    fn open(&self, owner: Owner, life: i64) -> Answer<'_, ()>;

    /// Removes all jobs of an owner in this life or an earlier one, and refuses further ones until the next `open`, so that a
    /// handle that outlives its tenant leaves nothing behind.
    fn close(&self, owner: Owner, life: i64) -> Answer<'_, ()>;

    /// Opens owners, ends their rest from `now` on, and makes the jobs that `#[job]` declares for them those that are given. Gives
    /// the schedules that come due from now on. Repeating it changes nothing.
    fn activate(
        &self,
        owners: Vec<(Owner, i64)>,
        declared: Vec<JobEntry>,
        now: DateTime<Utc>,
    ) -> Answer<'_, Vec<Schedule>>;

    /// Stores a job in place of any earlier one with its key.
    ///
    /// A paused job stays paused. One whose schedule is the same keeps its `since`, so that storing a job
    /// again at the moment of its tick does not lose the tick.
    fn put(&self, entry: JobEntry) -> Answer<'_, ()>;

    /// The same for several jobs of one owner: all of them or, whatever happens meanwhile, none.
    fn put_together(&self, entries: Vec<JobEntry>) -> Answer<'_, ()>;

    /// The same for a job of a tenant that may have so many that are not declared; one more is refused, and one in place of an earlier
    /// one is not. However many are put at once, and from however many processes, there are never more.
    fn put_within<'a>(&'a self, entry: JobEntry, tenant: &'a TenantId, most: usize) -> Answer<'a, ()>;

    /// Removes a job and gives it back.
    fn remove<'a>(&'a self, key: &'a JobKey) -> Answer<'a, Option<JobEntry>>;

    /// One job.
    fn get<'a>(&'a self, key: &'a JobKey) -> Answer<'a, Option<JobEntry>>;

    /// The jobs of an owner, by id.
    fn list(&self, owner: Owner) -> Answer<'_, Vec<JobEntry>>;

    /// Pauses a job, or resumes it from `now` on, and gives it as it is then.
    fn set_paused<'a>(
        &'a self,
        key: &'a JobKey,
        paused: bool,
        now: DateTime<Utc>,
    ) -> Answer<'a, Option<JobEntry>>;

    /// Lets all jobs of an owner rest, or go on from `now`, and gives their schedules. A job that is paused by itself stays so.
    fn set_resting(&self, owner: Owner, resting: bool, now: DateTime<Utc>) -> Answer<'_, Vec<Schedule>>;

    /// Who finds out what is due.
    fn work(&self) -> Work<'_>;

    /// Where queued runs are stored. With `None` they are kept in line by this process.
    fn queue(&self) -> Option<&dyn Queue> {
        None
    }
}

/// Who finds out what is due.
pub(crate) enum Work<'a> {
    /// This process, which is the only one: it follows an agenda of schedules.
    Agenda(&'a dyn Ticks),
    /// Whichever process comes first: runs are claimed.
    Claims(&'a dyn Claims),
}

/// What the agenda of a single process asks for.
pub(crate) trait Ticks: Send + Sync {
    /// Every distinct schedule that a job has.
    fn schedules(&self) -> Answer<'_, Vec<Schedule>>;

    /// The jobs that run at a tick of a schedule: neither paused nor resting, and there since before it. Those that
    /// come due once are removed by this. `None` when no job has the schedule any longer.
    fn due<'a>(&'a self, schedule: &'a Schedule, tick: DateTime<Utc>) -> Answer<'a, Option<Vec<JobEntry>>>;
}
