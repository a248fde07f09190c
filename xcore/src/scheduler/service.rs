//! The scheduler service of an app: makes the handles, knows the jobs that plugins declare.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use chrono_tz::Tz;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::agenda::Agenda;
use super::alarm::{CronAlarm, TickSource};
use super::backend::{SchedulerBackend, Work};
use super::claiming::Claiming;
use super::claims::Holder;
use super::clock::Clock;
use super::driver::Engine;
use super::handle::TenantScheduler;
use super::job::{JobCall, JobEntry, JobKey, Owner, Per, Rules};
use super::lease::Message;
use super::memory::Memory;
use super::outbox::Outbox;
use super::runner::JobRunner;
use super::runs::Runs;
use super::{Keep, Schedule, SchedulerError, figures};
use crate::tenancy::{Tenant, TenantId};

/// How long the last reports may take.
const FLUSH: Duration = Duration::from_secs(2);

/// The scheduler of an app. The framework makes the handles of plugins from it; a plugin never holds one.
#[derive(Clone)]
pub struct Scheduler(Arc<Inner>);

struct Inner {
    core: Arc<Core>,
    driver: Mutex<Option<AbortHandle>>,
    /// What keeps leases, and what it is told until it runs.
    keeper: Mutex<Option<AbortHandle>>,
    inbox: Mutex<Option<UnboundedReceiver<Message>>>,
}

/// What the service and its handles share.
pub(super) struct Core {
    pub(super) engine: Arc<Engine>,
    pub(super) zone: Tz,
    isolate: bool,
    declared: RwLock<BTreeMap<JobCall, Declared>>,
    /// Where transactions leave work, with stored jobs.
    pub(super) outbox: OnceLock<Arc<Outbox>>,
}

/// What `#[job]` says of a method.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    schedule: Option<Schedule>,
    pub(super) rules: Rules,
}

/// How `services.scheduler` and `tenancy.isolate_scheduler` are set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SchedulerSettings {
    /// The zone of cron expressions that name none.
    pub(crate) timezone: Tz,
    /// Runs at once, over all tenants. 0 counts as 1.
    pub(crate) concurrency: usize,
    /// Whether each tenant has ids of its own.
    pub(crate) isolate: bool,
    /// As whom jobs run with isolation off.
    pub(crate) default_tenant: Option<TenantId>,
    /// How long a run is left to a process that does not say that it still runs it. For stored jobs.
    pub(crate) lease: Duration,
    /// How long runs that have ended are remembered. A store has its own.
    pub(crate) keep: Keep,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        Self {
            timezone: Tz::UTC,
            concurrency: 16,
            isolate: true,
            default_tenant: None,
            lease: Duration::from_secs(30),
            keep: Keep::default(),
        }
    }
}

/// A method with `#[job]`.
#[derive(Clone, Debug)]
pub(crate) struct StaticJob {
    /// The plugin.
    pub(crate) plugin: &'static str,
    /// The method.
    pub(crate) job: &'static str,
    /// When it runs for every tenant; `None` when it only runs as a dynamic job.
    pub(crate) schedule: Option<Schedule>,
    /// Hold for dynamic jobs that call the method, too.
    pub(crate) rules: Rules,
}

/// Jobs that were added to a tenant at run time.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddedJobs(Vec<JobEntry>);

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShutdownReport {
    /// Runs that waited for their turn and never began.
    pub(crate) never_begun: usize,
    /// Runs that were not done when the grace time was over, and were cancelled.
    pub(crate) cancelled: usize,
}

impl Scheduler {
    /// A scheduler whose jobs live in the memory of this process. Nothing runs before [`start`](Self::start).
    pub(crate) fn memory(settings: SchedulerSettings) -> Result<Self, SchedulerError> {
        Self::on(Arc::new(Memory::default()), Arc::new(CronAlarm::default()), Clock::System, settings)
    }

    /// A scheduler on any store, alarm and clock.
    pub(super) fn on(
        backend: Arc<dyn SchedulerBackend>,
        alarm: Arc<dyn TickSource>,
        clock: Clock,
        settings: SchedulerSettings,
    ) -> Result<Self, SchedulerError> {
        if !settings.isolate && settings.default_tenant.is_none() {
            return Err(SchedulerError::NoDefaultTenant);
        }
        figures::describe();
        let runs = Runs::new(&settings, clock);
        let (claiming, inbox) = match backend.work() {
            Work::Agenda(_) => (None, None),
            Work::Claims(_) => {
                let name = holder_name()?;
                let (claiming, inbox) = Claiming::new(Holder { name, lease: settings.lease });
                (Some(claiming), Some(inbox))
            }
        };
        let engine = Arc::new(Engine { backend, alarm, clock, agenda: Agenda::default(), runs, claiming });
        let declared = RwLock::default();
        let outbox = OnceLock::new();
        let core =
            Arc::new(Core { engine, zone: settings.timezone, isolate: settings.isolate, declared, outbox });
        let inbox = Mutex::new(inbox);
        Ok(Self(Arc::new(Inner { core, driver: Mutex::default(), keeper: Mutex::default(), inbox })))
    }

    /// A scheduler whose jobs and runs are stored, so that they outlast the process and can be shared by several. Nothing runs
    /// before [`start`](Self::start).
    pub(crate) fn stored(
        backend: Arc<dyn SchedulerBackend>,
        settings: SchedulerSettings,
    ) -> Result<Self, SchedulerError> {
        Self::on(backend, Arc::new(CronAlarm::default()), Clock::System, settings)
    }

    /// Lets work be put in line within transactions. Once, before anybody has a handle.
    pub(crate) fn set_outbox(&self, outbox: Arc<Outbox>) {
        let _ = self.0.core.outbox.set(outbox);
    }

    /// What brings work from transactions into line.
    pub(crate) fn outbox(&self) -> Option<&Arc<Outbox>> {
        self.0.core.outbox.get()
    }

    /// Has the store looked at: something was put in line.
    pub(crate) fn wake(&self) {
        self.0.core.engine.wake();
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    /// Makes a `#[job]` method known. Call it for all of them before tenants are activated: a tenant gets
    /// the jobs that are known then.
    pub(crate) fn register(&self, job: StaticJob) {
        let StaticJob { plugin, job, schedule, rules } = job;
        let mut declared = self.0.core.declared.write().unwrap_or_else(PoisonError::into_inner);
        declared.insert(JobCall::new(plugin, job), Declared { schedule, rules });
    }

    /// Lets a tenant have jobs, after its creation began. It has none yet.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub(crate) async fn tenant_opened(&self, id: &TenantId, life: i64) -> Result<(), SchedulerError> {
        let owner = self.0.core.owner(*id);
        self.0.core.engine.backend.open(owner, life).await?;
        self.0.core.engine.runs.open_owner(owner);
        Ok(())
    }

    /// As [`tenants_activated`](Self::tenants_activated), for one.
    pub(crate) async fn tenant_activated(&self, id: &TenantId, life: i64) -> Result<(), SchedulerError> {
        self.tenants_activated(&[(*id, life)]).await
    }

    /// Gives tenants that are active now the declared jobs, and lets those go on that rested while they were suspended: ticks
    /// that passed are not made up for, except that a job for one time, which has passed, runs at once. Repeating it
    /// changes nothing. With isolation off, the jobs are there once for all.
    ///
    /// # Errors
    /// When the store is unavailable; some of the jobs may be there.
    pub(crate) async fn tenants_activated(&self, tenants: &[(TenantId, i64)]) -> Result<(), SchedulerError> {
        let core = &self.0.core;
        let engine = &core.engine;
        let owners: BTreeMap<Owner, i64> =
            tenants.iter().map(|(id, life)| (core.owner(*id), *life)).collect();
        let declared = owners.keys().flat_map(|owner| core.declared_jobs(*owner)).collect();
        for owner in owners.keys() {
            engine.runs.open_owner(*owner);
        }
        let all: Vec<_> = owners.iter().map(|(owner, life)| (*owner, *life)).collect();
        for schedule in engine.backend.activate(all, declared, engine.clock.now()).await? {
            engine.follow(&schedule);
        }
        for owner in owners.keys() {
            engine.runs.set_resting(*owner, false);
        }
        Ok(())
    }

    /// Gives the app its own jobs, which run once and not for each tenant.
    async fn app_activated(&self) -> Result<(), SchedulerError> {
        let core = &self.0.core;
        let engine = &core.engine;
        // It has one life.
        let owners = vec![(Owner::App, 0)];
        for schedule in
            engine.backend.activate(owners, core.declared_jobs(Owner::App), engine.clock.now()).await?
        {
            engine.follow(&schedule);
        }
        Ok(())
    }

    /// Takes all jobs and waiting runs from a tenant that is deleted. Handles of it that are still held
    /// can add none. Gives the number of its runs that are under way; they go on to their end.
    ///
    /// With isolation off nothing is known to be the tenant's, so nothing happens.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub(crate) async fn tenant_removed(&self, id: &TenantId, life: i64) -> Result<usize, SchedulerError> {
        let core = &self.0.core;
        let owner @ Owner::Tenant(_) = core.owner(*id) else { return Ok(0) };
        core.engine.backend.close(owner, life).await?;
        // After the store, so that nothing is left to be put in line.
        Ok(core.engine.runs.close_owner(owner))
    }

    /// Lets all jobs of a tenant rest that is suspended: ticks pass without a run, and runs that wait for their turn go on
    /// waiting. Those under way go on to their end. Gives their number.
    ///
    /// With isolation off nothing is known to be the tenant's, so nothing happens.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub(crate) async fn tenant_suspended(&self, id: &TenantId) -> Result<usize, SchedulerError> {
        let engine = &self.0.core.engine;
        let owner @ Owner::Tenant(_) = self.0.core.owner(*id) else { return Ok(0) };
        engine.backend.set_resting(owner, true, engine.clock.now()).await?;
        Ok(engine.runs.set_resting(owner, true))
    }

    /// The jobs that were added to a tenant at run time. With isolation off none is known to be the tenant's.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub(crate) async fn added_jobs(&self, id: &TenantId) -> Result<AddedJobs, SchedulerError> {
        let core = &self.0.core;
        let owner @ Owner::Tenant(_) = core.owner(*id) else { return Ok(AddedJobs(Vec::new())) };
        let mut jobs = core.engine.backend.list(owner).await?;
        jobs.retain(|job| !job.declared);
        Ok(AddedJobs(jobs))
    }

    /// Gives a tenant the jobs that it had by another name. They rest until it is [active](Self::tenant_activated). Repeating it
    /// changes nothing; nor does it when another process was faster with a store that both have.
    ///
    /// # Errors
    /// When the store is unavailable; all of the jobs are there or none.
    pub(crate) async fn take_over(
        &self,
        jobs: &AddedJobs,
        id: &TenantId,
        life: i64,
    ) -> Result<(), SchedulerError> {
        let owner @ Owner::Tenant(_) = self.0.core.owner(*id) else { return Ok(()) };
        self.tenant_opened(id, life).await?;
        self.tenant_suspended(id).await?;
        if jobs.0.is_empty() || !self.added_jobs(id).await?.0.is_empty() {
            return Ok(());
        }
        let moved = |job: &JobEntry| {
            let key = JobKey { owner, id: Arc::clone(&job.key.id) };
            JobEntry { key, ..job.clone() }
        };
        // All or none: the first of them tells a repetition that it has been done.
        self.0.core.engine.backend.put_together(jobs.0.iter().map(moved).collect()).await
    }

    /// Gives a tenant what it has in line by another name, and what transactions have left for it, after
    /// [`take_over`](Self::take_over). Repeating it changes nothing.
    ///
    /// # Errors
    /// When a store is unavailable; some of it may be there.
    pub(crate) async fn take_over_queued(
        &self,
        from: (&TenantId, i64),
        to: (&TenantId, i64),
        server: Option<&str>,
    ) -> Result<(), SchedulerError> {
        let core = &self.0.core;
        let (from_owner, owner) = (core.owner(*from.0), core.owner(*to.0));
        // First what is not in line yet: what is brought by the old name from now on goes with that name, and is brought again.
        if let Some(outbox) = core.outbox.get() {
            outbox.hand_over(from, to, server).await?;
        }
        match core.engine.backend.queue() {
            Some(queue) if from_owner != owner => queue.hand_over(from_owner, owner).await,
            _ => {
                core.engine.runs.hand_over(from_owner, owner);
                Ok(())
            }
        }
    }

    /// Begins to run jobs, on the runtime of the caller.
    ///
    /// # Errors
    /// When it was called before or the store is unavailable.
    pub(crate) async fn start(&self, runner: Arc<dyn JobRunner>) -> Result<(), SchedulerError> {
        self.app_activated().await?;
        let engine = Arc::clone(&self.0.core.engine);
        match (engine.backend.work(), self.0.take_inbox()) {
            (Work::Agenda(ticks), _) => {
                let schedules = ticks.schedules().await?;
                if !engine.runs.start(runner) {
                    return Err(SchedulerError::AlreadyStarted);
                }
                for schedule in &schedules {
                    engine.follow(schedule);
                }
            }
            (Work::Claims(_), Some(inbox)) => {
                engine.runs.start(runner);
                let engine = Arc::clone(&engine);
                let keeper = tokio::spawn(async move {
                    if let (Work::Claims(claims), Some(claiming)) = (engine.backend.work(), &engine.claiming)
                    {
                        claiming.keep(claims, inbox).await;
                    }
                });
                *self.0.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeper.abort_handle());
            }
            (Work::Claims(_), None) => return Err(SchedulerError::AlreadyStarted),
        }
        let core = Arc::clone(&self.0.core);
        let driver = tokio::spawn(async move {
            let engine = &core.engine;
            match (engine.backend.work(), &engine.claiming) {
                (Work::Agenda(ticks), _) => engine.drive(ticks).await,
                (Work::Claims(claims), Some(claiming)) => claiming.follow(claims, &core).await,
                // They are made together.
                (Work::Claims(_), None) => {}
            }
        });
        *self.0.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver.abort_handle());
        Ok(())
    }

    /// Starts no further runs, waits up to `grace` for those under way, then cancels them by dropping
    /// their futures. Repeating it is harmless. When the call is dropped, no run starts any more and those
    /// under way go on.
    pub(crate) async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        self.0.stop_driver();
        let engine = &self.0.core.engine;
        let (never_begun, cancelled) = engine.runs.stop(grace).await;
        if let Some(claiming) = &engine.claiming {
            // What was cut off is another process's at once, and not when its lease ends.
            if timeout(FLUSH, claiming.leases.flush()).await.is_err() {
                tracing::warn!(
                    "the runs that were cut off could not be given back; others get them when their leases end"
                );
            }
        }
        self.0.stop_keeper();
        engine.alarm.stop().await;
        ShutdownReport { never_begun, cancelled }
    }

    /// The handle of one tenant. Costs two reference counts.
    pub(crate) fn tenant(&self, tenant: &Tenant) -> TenantScheduler {
        let tenant = self.0.core.isolate.then(|| tenant.clone());
        TenantScheduler { core: Arc::clone(&self.0.core), tenant }
    }
}

impl Core {
    pub(super) fn owner(&self, id: TenantId) -> Owner {
        if self.isolate { Owner::Tenant(id) } else { Owner::Shared }
    }

    /// What is declared of a method.
    pub(super) fn declared(&self, call: &JobCall) -> Result<Declared, SchedulerError> {
        let declared = self.declared.read().unwrap_or_else(PoisonError::into_inner);
        let method = call.method();
        declared.get(&method).cloned().ok_or(SchedulerError::UnknownCall { call: method })
    }

    /// What is declared of a method that a tenant may schedule.
    pub(super) fn declared_of_tenants(&self, call: &JobCall) -> Result<Declared, SchedulerError> {
        let declared = self.declared(call)?;
        match declared.rules.per {
            Per::Tenant => Ok(declared),
            Per::App => Err(SchedulerError::OfTheApp { call: call.clone() }),
        }
    }

    /// All methods that this program can run.
    pub(super) fn calls(&self) -> Vec<JobCall> {
        self.declared.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The jobs that `#[job]` gives an owner.
    fn declared_jobs(&self, owner: Owner) -> Vec<JobEntry> {
        let per = if owner == Owner::App { Per::App } else { Per::Tenant };
        let declared = self.declared.read().unwrap_or_else(PoisonError::into_inner);
        let since = self.engine.clock.now();
        declared
            .iter()
            .filter(|(_, declared)| declared.rules.per == per)
            .filter_map(|(call, declared)| {
                Some(JobEntry {
                    key: JobKey { owner, id: call.to_string().into() },
                    call: call.clone(),
                    schedule: declared.schedule.clone()?,
                    rules: declared.rules,
                    declared: true,
                    paused: false,
                    since,
                })
            })
            .collect()
    }
}

impl Inner {
    fn stop_driver(&self) {
        if let Some(driver) = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take() {
            driver.abort();
        }
    }
}

impl Inner {
    fn take_inbox(&self) -> Option<UnboundedReceiver<Message>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn stop_keeper(&self) {
        if let Some(keeper) = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take() {
            keeper.abort();
        }
    }
}

/// A name that no other process has, also not after a restart.
fn holder_name() -> Result<String, SchedulerError> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|source| SchedulerError::Random { source: Box::new(source) })?;
    Ok(format!("{}-{:016x}", std::process::id(), u64::from_ne_bytes(random)))
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop_driver();
        self.stop_keeper();
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = &self.0.core;
        f.debug_struct("Scheduler")
            .field("zone", &core.zone)
            .field("isolate", &core.isolate)
            .finish_non_exhaustive()
    }
}
