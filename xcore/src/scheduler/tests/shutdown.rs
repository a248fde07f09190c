//! How the scheduler stops.

use super::super::service::ShutdownReport;
use super::*;

async fn busy(job: &'static str) -> Bench {
    let bench = Bench::started(SchedulerSettings { concurrency: 2, ..SchedulerSettings::default() }).await;
    for tenant in ["a", "b", "c", "d", "e"] {
        bench.tenant(tenant).cron("job", "0 * * * * *", call(job)).await.unwrap();
    }
    bench.until("2030-01-01T00:01:00.500Z").await;
    assert_eq!(bench.seen.begun().len(), 2);
    bench
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_runs_under_way() {
    let bench = busy("slow").await;
    let start = tokio::time::Instant::now();
    let report = bench.scheduler.shutdown(seconds(60)).await;
    assert_eq!(report, ShutdownReport { never_begun: 3, cancelled: 0 });
    assert_eq!(bench.seen.ended().len(), 2);
    assert!(start.elapsed() < seconds(6), "it waits no longer than the runs take");
}

#[tokio::test(start_paused = true)]
async fn shutdown_cancels_what_outlives_the_grace_time() {
    let bench = busy("hangs").await;
    let start = tokio::time::Instant::now();
    let report = bench.scheduler.shutdown(seconds(10)).await;
    assert_eq!(report, ShutdownReport { never_begun: 3, cancelled: 2 });
    assert!((seconds(10)..seconds(11)).contains(&start.elapsed()), "{:?}", start.elapsed());
    settle().await;
    assert_eq!(*bench.seen.cancelled.lock().unwrap(), 2, "their futures are dropped");
    assert_eq!(bench.scheduler.shutdown(seconds(10)).await, ShutdownReport::default());
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_after_shutdown() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    acme.cron("job", "* * * * * *", call("ok")).await.unwrap();
    assert_eq!(bench.scheduler.shutdown(seconds(10)).await, ShutdownReport::default());
    bench.until("2030-01-01T01:00:00Z").await;
    assert!(matches!(acme.run_now("job").await, Err(SchedulerError::Stopping)));
    settle().await;
    assert!(bench.seen.begun().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_that_was_never_started_stops() {
    let bench = Bench::new(SchedulerSettings::default());
    bench.tenant("acme").cron("job", "* * * * * *", call("ok")).await.unwrap();
    bench.tenant("acme").run_now("job").await.unwrap();
    let report = bench.scheduler.shutdown(seconds(10)).await;
    assert_eq!(report, ShutdownReport { never_begun: 1, cancelled: 0 });
}

#[test]
fn a_runtime_that_ends_under_runs_takes_nothing_with_it() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let bench = runtime.block_on(async {
        let bench =
            Bench::started(SchedulerSettings { concurrency: 2, ..SchedulerSettings::default() }).await;
        for tenant in ["a", "b", "c", "d", "e"] {
            bench.tenant(tenant).after("job", Duration::ZERO, call("hangs")).await.unwrap();
        }
        eventually("two runs begin", || async { bench.seen.begun().len() == 2 }).await;
        bench
    });
    drop(runtime);
    assert_eq!(*bench.seen.cancelled.lock().unwrap(), 2);
}
