//! Jobs of two tenants never meet. Each claim is a function that says whether it holds, and its test also
//! sees it fail with isolation off.

use super::*;

fn isolated() -> SchedulerSettings {
    SchedulerSettings::default()
}

fn shared() -> SchedulerSettings {
    SchedulerSettings { isolate: false, default_tenant: Some(id("public")), ..SchedulerSettings::default() }
}

/// Both tenants run a job with one id, each its own, as themselves.
async fn one_id_is_two_jobs(settings: SchedulerSettings) -> bool {
    let bench = Bench::started(settings).await;
    bench.tenant("acme").cron("job", "0 0 * * * *", call("ok")).await.unwrap();
    bench.tenant("globex").cron("job", "0 30 * * * *", call("ok")).await.unwrap();
    bench.until("2030-01-01T01:15:00Z").await;
    bench.seen.lines() == ["globex:job@00:30:00", "acme:job@01:00:00"]
}

#[tokio::test(start_paused = true)]
async fn the_same_id_in_two_tenants_is_two_jobs() {
    assert!(one_id_is_two_jobs(isolated()).await);
}

#[tokio::test(start_paused = true)]
async fn with_isolation_off_the_same_id_collides() {
    assert!(!one_id_is_two_jobs(shared()).await);
}

/// One tenant sees nothing of another's jobs and changes none of them.
async fn a_tenant_reaches_only_its_own(settings: SchedulerSettings) -> bool {
    let bench = Bench::started(settings).await;
    let (acme, globex) = (bench.tenant("acme"), bench.tenant("globex"));
    acme.cron("job", "0 * * * * *", call("ok")).await.unwrap();
    let mut holds = globex.list().await.unwrap().is_empty();
    for reaching in ["job", "acme:job", ":job", "*"] {
        holds &= globex.get(reaching).await.unwrap().is_none();
        holds &= globex.next_run(reaching).await.unwrap().is_none();
        holds &= matches!(globex.pause(reaching).await, Err(SchedulerError::NoSuchJob { .. }));
        holds &= matches!(globex.resume(reaching).await, Err(SchedulerError::NoSuchJob { .. }));
        holds &= matches!(globex.run_now(reaching).await, Err(SchedulerError::NoSuchJob { .. }));
        holds &= !globex.remove(reaching).await.unwrap();
    }
    let jobs = acme.list().await.unwrap();
    holds &= jobs.len() == 1 && jobs[0].id == "job" && !jobs[0].paused;
    bench.until("2030-01-01T00:01:30Z").await;
    holds && bench.seen.lines() == ["acme:job@00:01:00"]
}

#[tokio::test(start_paused = true)]
async fn no_call_of_a_tenant_reaches_anothers_job() {
    assert!(a_tenant_reaches_only_its_own(isolated()).await);
}

#[tokio::test(start_paused = true)]
async fn with_isolation_off_calls_reach_all_jobs() {
    assert!(!a_tenant_reaches_only_its_own(shared()).await);
}

/// Removing a tenant takes its jobs and waiting runs, and nobody else's.
async fn a_removed_tenant_takes_only_its_own(settings: SchedulerSettings) -> bool {
    let bench = Bench::started(SchedulerSettings { concurrency: 1, ..settings }).await;
    let (acme, globex) = (bench.tenant("acme"), bench.tenant("globex"));
    acme.cron("first", "0 * * * * *", call("gated")).await.unwrap();
    bench.until("2030-01-01T00:01:00.100Z").await;
    acme.cron("a", "30 * * * * *", call("ok")).await.unwrap();
    globex.cron("b", "30 * * * * *", call("ok")).await.unwrap();
    bench.until("2030-01-01T00:01:45Z").await;
    let running = bench.scheduler.tenant_removed(&id("acme"), 0).await.unwrap();
    let refused =
        matches!(acme.every("late", seconds(1), call("ok")).await, Err(SchedulerError::TenantDeleted { .. }));
    bench.seen.gate.0.add_permits(1);
    bench.until("2030-01-01T00:02:10Z").await;
    running == 1
        && refused
        && acme.list().await.unwrap().is_empty()
        && globex.list().await.unwrap().len() == 1
        && bench.seen.lines() == ["acme:first@00:01:00", "globex:b@00:01:30"]
}

#[tokio::test(start_paused = true)]
async fn removing_a_tenant_takes_its_jobs_and_waiting_runs() {
    assert!(a_removed_tenant_takes_only_its_own(isolated()).await);
}

#[tokio::test(start_paused = true)]
async fn with_isolation_off_removing_a_tenant_takes_nothing() {
    assert!(!a_removed_tenant_takes_only_its_own(shared()).await);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_created_again_has_its_declared_jobs_only() {
    let bench = Bench::new(isolated());
    bench.declare("daily", Some(Schedule::cron("0 0 6 * * *", "UTC").unwrap()), Overlap::Skip, None);
    bench.start().await;
    bench.scheduler.tenant_activated(&id("acme"), 0).await.unwrap();
    let acme = bench.tenant("acme");
    acme.every("mine", seconds(60), call("ok")).await.unwrap();
    acme.pause("orders.daily").await.unwrap();
    bench.scheduler.tenant_removed(&id("acme"), 0).await.unwrap();
    bench.scheduler.tenant_activated(&id("acme"), 0).await.unwrap();
    let jobs = acme.list().await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["orders.daily"]);
    assert!(!jobs[0].paused);
    acme.run_now("orders.daily").await.unwrap();
    settle().await;
    assert_eq!(bench.seen.begun().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn with_isolation_off_jobs_run_once_as_the_default_tenant() {
    let bench = Bench::new(shared());
    bench.declare("daily", Some(Schedule::cron("0 0 6 * * *", "UTC").unwrap()), Overlap::Skip, None);
    bench.start().await;
    for tenant in ["acme", "globex", "public"] {
        bench.scheduler.tenant_activated(&id(tenant), 0).await.unwrap();
    }
    bench.tenant("acme").cron("mine", "0 0 7 * * *", call("ok")).await.unwrap();
    bench.until("2030-01-01T12:00:00Z").await;
    assert_eq!(bench.seen.lines(), ["public:orders.daily@06:00:00", "public:mine@07:00:00"]);
}

/// The runs of one job in one tenant say nothing of those in another.
async fn overlap_is_per_tenant(settings: SchedulerSettings) -> bool {
    let bench = Bench::started(settings).await;
    for tenant in ["acme", "globex"] {
        bench.tenant(tenant).cron("job", "0 * * * * *", call("hangs")).await.unwrap();
    }
    bench.until("2030-01-01T00:03:30Z").await;
    bench.seen.counts() == BTreeMap::from([("acme:job".to_owned(), 1), ("globex:job".to_owned(), 1)])
}

#[tokio::test(start_paused = true)]
async fn a_run_of_one_tenant_does_not_hold_up_anothers() {
    assert!(overlap_is_per_tenant(isolated()).await);
}

#[tokio::test(start_paused = true)]
async fn with_isolation_off_one_run_holds_up_all() {
    assert!(!overlap_is_per_tenant(shared()).await);
}
