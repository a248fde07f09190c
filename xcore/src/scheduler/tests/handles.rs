//! What a handle does.

use super::*;

#[tokio::test(start_paused = true)]
async fn adding_an_id_again_replaces_the_job() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    acme.every("job", seconds(1), call("fails")).await.unwrap();
    acme.cron("job", "0 0 * * * *", call("ok")).await.unwrap();
    let jobs = acme.list().await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!((jobs[0].id.as_str(), &jobs[0].call, jobs[0].declared), ("job", &call("ok"), false));
    assert_eq!(jobs[0].schedule.to_string(), "0 0 * * * * UTC");
    bench.until("2030-01-01T01:30:00Z").await;
    assert_eq!(bench.seen.lines(), ["acme:job@01:00:00"]);
}

#[tokio::test(start_paused = true)]
async fn adding_the_same_job_again_and_again_does_not_delay_it() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    for _ in 0..40 {
        acme.every("job", seconds(10), call("ok")).await.unwrap();
        tokio::time::sleep(seconds(1)).await;
    }
    settle().await;
    assert_eq!(bench.seen.begun().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_paused_job_lets_its_ticks_pass() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    acme.cron("job", "0 * * * * *", call("ok")).await.unwrap();
    bench.until("2030-01-01T00:01:30Z").await;
    acme.pause("job").await.unwrap();
    assert_eq!(acme.next_run("job").await.unwrap(), None);
    assert!(acme.get("job").await.unwrap().unwrap().paused);
    acme.cron("job", "0 * * * * *", call("ok")).await.unwrap();
    assert!(acme.get("job").await.unwrap().unwrap().paused, "replacing does not resume");
    bench.until("2030-01-01T00:03:30Z").await;
    acme.resume("job").await.unwrap();
    assert_eq!(acme.next_run("job").await.unwrap(), Some(time("2030-01-01T00:04:00Z")));
    bench.until("2030-01-01T00:04:30Z").await;
    assert_eq!(bench.seen.lines(), ["acme:job@00:01:00", "acme:job@00:04:00"]);
    assert!(matches!(acme.pause("other").await, Err(SchedulerError::NoSuchJob { .. })));
    assert!(matches!(acme.resume("other").await, Err(SchedulerError::NoSuchJob { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_job_for_one_time_that_was_paused_over_it_runs_when_resumed() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    acme.after("job", seconds(5), call("ok")).await.unwrap();
    acme.pause("job").await.unwrap();
    bench.until("2030-01-01T00:01:00Z").await;
    assert!(bench.seen.begun().is_empty());
    acme.resume("job").await.unwrap();
    settle().await;
    assert_eq!(bench.seen.lines(), ["acme:job@00:00:05.250"]);
    assert!(acme.list().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_removed_job_runs_no_more() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    acme.cron("job", "0 * * * * *", call("ok")).await.unwrap();
    bench.until("2030-01-01T00:01:30Z").await;
    assert!(acme.remove("job").await.unwrap());
    assert!(!acme.remove("job").await.unwrap());
    assert!(acme.get("job").await.unwrap().is_none());
    bench.until("2030-01-01T00:10:00Z").await;
    assert_eq!(bench.seen.begun().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn run_now_runs_a_job_beside_its_ticks() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    acme.cron("job", "0 0 * * * *", call("ok")).await.unwrap();
    acme.pause("job").await.unwrap();
    acme.run_now("job").await.unwrap();
    settle().await;
    assert_eq!(bench.seen.lines(), ["acme:job@00:00:00.250"]);
    assert!(matches!(acme.run_now("other").await, Err(SchedulerError::NoSuchJob { .. })));
}

#[tokio::test(start_paused = true)]
async fn declared_jobs_can_be_paused_and_run_but_not_removed_or_replaced() {
    let bench = Bench::new(SchedulerSettings::default());
    bench.declare(
        "daily",
        Some(Schedule::cron("0 0 6 * * *", "UTC").unwrap()),
        Overlap::Queue,
        Some(seconds(9)),
    );
    bench.start().await;
    bench.scheduler.tenant_activated(&id("acme"), 0).await.unwrap();
    let acme = bench.tenant("acme");
    let job = acme.get("orders.daily").await.unwrap().unwrap();
    assert_eq!((job.declared, job.overlap, job.timeout), (true, Overlap::Queue, Some(seconds(9))));
    assert!(matches!(acme.remove("orders.daily").await, Err(SchedulerError::Declared { .. })));
    assert!(matches!(
        acme.every("orders.daily", seconds(1), call("ok")).await,
        Err(SchedulerError::InvalidId { .. })
    ));
    acme.run_now("orders.daily").await.unwrap();
    acme.pause("orders.daily").await.unwrap();
    bench.scheduler.tenant_activated(&id("acme"), 0).await.unwrap();
    assert!(acme.get("orders.daily").await.unwrap().unwrap().paused, "activating again does not resume");
    bench.until("2030-01-02T12:00:00Z").await;
    assert_eq!(bench.seen.lines(), ["acme:orders.daily@00:00:00.250"]);
    // A dynamic job that calls the method follows its rules.
    acme.every("mine", seconds(9), call("daily")).await.unwrap();
    let mine = acme.get("mine").await.unwrap().unwrap();
    assert_eq!((mine.declared, mine.overlap, mine.timeout), (false, Overlap::Queue, Some(seconds(9))));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_run_is_refused_when_it_is_added() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    assert!(matches!(acme.cron("job", "* * *", call("ok")).await, Err(SchedulerError::InvalidCron { .. })));
    assert!(matches!(
        acme.every("job", Duration::ZERO, call("ok")).await,
        Err(SchedulerError::Interval { .. })
    ));
    assert!(matches!(
        acme.every("job", seconds(1), call("absent")).await,
        Err(SchedulerError::UnknownCall { .. })
    ));
    assert!(matches!(acme.every("a.b", seconds(1), call("ok")).await, Err(SchedulerError::InvalidId { .. })));
    assert!(acme.list().await.unwrap().is_empty());
    let settings = SchedulerSettings { isolate: false, ..SchedulerSettings::default() };
    assert!(matches!(Scheduler::memory(settings), Err(SchedulerError::NoDefaultTenant)));
    let again = bench.scheduler.start(Arc::new(Runner(Arc::default()))).await;
    assert!(matches!(again, Err(SchedulerError::AlreadyStarted)));
}
