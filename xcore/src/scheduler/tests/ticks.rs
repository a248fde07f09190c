//! When jobs run.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_cron_job_runs_at_each_tick_of_its_zone() {
    let settings = SchedulerSettings { timezone: chrono_tz::Asia::Kolkata, ..SchedulerSettings::default() };
    let bench = Bench::started(settings).await;
    bench.tenant("acme").cron("morning", "0 0 6 * * *", call("ok")).await.unwrap();
    assert_eq!(bench.tenant("acme").next_run("morning").await.unwrap(), Some(time("2030-01-01T00:30:00Z")));
    bench.until("2030-01-03T12:00:00Z").await;
    let ticks: Vec<_> = bench.seen.begun().iter().map(|seen| seen.tick).collect();
    assert_eq!(ticks, ["2030-01-01T00:30:00Z", "2030-01-02T00:30:00Z", "2030-01-03T00:30:00Z"].map(time));
}

#[tokio::test(start_paused = true)]
async fn daylight_saving_moves_the_tick_of_a_running_job() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let schedule = Schedule::cron("0 0 6 * * *", "Europe/Berlin").unwrap();
    bench.tenant("acme").add("morning", schedule, call("ok")).await.unwrap();
    bench.until("2030-04-01T12:00:00Z").await;
    let ticks: Vec<_> = bench.seen.begun().iter().rev().take(3).map(|seen| seen.tick).collect();
    assert_eq!(ticks, ["2030-04-01T04:00:00Z", "2030-03-31T04:00:00Z", "2030-03-30T05:00:00Z"].map(time));
    assert_eq!(bench.seen.begun().len(), 31 + 28 + 31 + 1);
}

#[tokio::test(start_paused = true)]
async fn runs_begin_on_time() {
    struct Late(Clock, Mutex<Vec<TimeDelta>>);
    impl JobRunner for Arc<Late> {
        fn run(&self, run: JobRun) -> BoxFuture<'static, Result<(), JobFailure>> {
            self.1.lock().unwrap().push(self.0.now() - run.tick);
            std::future::ready(Ok(())).boxed()
        }
    }
    let bench = Bench::new(SchedulerSettings::default());
    let late = Arc::new(Late(bench.clock, Mutex::default()));
    bench.scheduler.start(Arc::new(Arc::clone(&late))).await.unwrap();
    let acme = bench.tenant("acme");
    acme.every("often", Duration::from_millis(1500), call("ok")).await.unwrap();
    acme.cron("hourly", "0 0 * * * *", call("ok")).await.unwrap();
    acme.after("once", Duration::from_millis(12_345), call("ok")).await.unwrap();
    bench.until("2030-01-01T03:00:01Z").await;
    let late = late.1.lock().unwrap();
    assert_eq!(late.len(), 3 * 60 * 40 + 3 + 1);
    for late in late.iter() {
        assert!((TimeDelta::zero()..TimeDelta::milliseconds(5)).contains(late), "{late}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_alarm_costs_a_second_and_no_tick() {
    let bench = Bench::with_alarm(SchedulerSettings::default(), true);
    bench.start().await;
    bench.tenant("acme").cron("hourly", "0 0 * * * *", call("ok")).await.unwrap();
    bench.until("2030-01-01T05:00:02Z").await;
    assert_eq!(bench.seen.begun().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_job_for_one_time_runs_once_and_is_gone() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    acme.at("at", time("2030-01-01T01:00:00Z"), call("ok")).await.unwrap();
    acme.after("after", seconds(60), call("ok")).await.unwrap();
    acme.at("past", time("2020-01-01T00:00:00Z"), call("ok")).await.unwrap();
    acme.after("now", Duration::ZERO, call("ok")).await.unwrap();
    settle().await;
    assert_eq!(bench.seen.counts().keys().collect::<Vec<_>>(), ["acme:now", "acme:past"]);
    bench.until("2030-01-02T00:00:00Z").await;
    let counts = bench.seen.counts();
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        ["acme:after", "acme:at", "acme:now", "acme:past"].map(|job| (job.to_owned(), 1))
    );
    assert!(acme.list().await.unwrap().is_empty());
    assert!(matches!(acme.after("far", Duration::MAX, call("ok")).await, Err(SchedulerError::TooFar { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_comes_with_a_tick_waits_for_the_next() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    bench.tenant("acme").cron("a", "* * * * * *", call("ok")).await.unwrap();
    bench.until("2030-01-01T00:00:03.500Z").await;
    bench.tenant("acme").cron("b", "* * * * * *", call("ok")).await.unwrap();
    bench.until("2030-01-01T00:00:05.500Z").await;
    let lines = bench.seen.lines();
    let of = |id: &str| {
        lines.iter().filter(|line| line.contains(id)).map(|line| &line[line.len() - 2..]).collect::<Vec<_>>()
    };
    assert_eq!(of(":a@"), ["01", "02", "03", "04", "05"]);
    assert_eq!(of(":b@"), ["04", "05"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_a_panic_and_a_timeout_stop_nothing() {
    let bench = Bench::new(SchedulerSettings { concurrency: 1, ..SchedulerSettings::default() });
    bench.declare("hangs", None, Overlap::Skip, Some(seconds(3)));
    bench.start().await;
    let acme = bench.tenant("acme");
    for job in ["fails", "panics", "panics_at_once", "hangs", "ok"] {
        acme.every(job, seconds(10), call(job)).await.unwrap();
    }
    bench.until("2030-01-01T00:01:09Z").await;
    for job in ["fails", "panics", "panics_at_once", "hangs", "ok"] {
        assert_eq!(bench.seen.counts().get(&format!("acme:{job}")), Some(&6), "{job}");
    }
}

#[tokio::test(start_paused = true)]
async fn declared_jobs_run_for_active_tenants() {
    let bench = Bench::new(SchedulerSettings::default());
    bench.declare("daily", Some(Schedule::cron("0 0 6 * * *", "UTC").unwrap()), Overlap::Skip, None);
    bench.scheduler.tenant_activated(&id("acme"), 0).await.unwrap();
    bench.start().await;
    bench.scheduler.tenant_activated(&id("globex"), 0).await.unwrap();
    bench.scheduler.tenant_activated(&id("globex"), 0).await.unwrap();
    bench.until("2030-01-01T12:00:00Z").await;
    bench.scheduler.tenant_removed(&id("acme"), 0).await.unwrap();
    bench.until("2030-01-02T12:00:00Z").await;
    let mut lines = bench.seen.lines();
    lines.sort();
    assert_eq!(
        lines,
        ["acme:orders.daily@06:00:00", "globex:orders.daily@06:00:00", "globex:orders.daily@06:00:00"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_held_up_driver_makes_up_with_one_run() {
    let bench = Bench::new(SchedulerSettings::default());
    // So that no run is left out because of the one before it.
    bench.declare("ok", None, Overlap::Allow, None);
    bench.start().await;
    bench.tenant("acme").cron("often", "* * * * * *", call("ok")).await.unwrap();
    bench.until("2030-01-01T00:00:02.500Z").await;
    // The clock jumps over ten ticks without anything running.
    tokio::time::advance(seconds(10)).await;
    settle().await;
    bench.until("2030-01-01T00:00:14.500Z").await;
    let ends: Vec<_> = bench.seen.lines().iter().map(|line| line[line.len() - 2..].to_owned()).collect();
    assert_eq!(ends, ["01", "02", "03", "13", "14"]);
}
