//! Runs of one job at the same time.

use super::*;

async fn every_minute(overlap: Overlap, concurrency: usize) -> Bench {
    let bench = Bench::new(SchedulerSettings { concurrency, ..SchedulerSettings::default() });
    bench.declare("gated", None, overlap, None);
    bench.start().await;
    bench.tenant("acme").cron("job", "0 * * * * *", call("gated")).await.unwrap();
    bench
}

#[tokio::test(start_paused = true)]
async fn skip_leaves_out_ticks_until_the_run_is_done() {
    let bench = every_minute(Overlap::Skip, 16).await;
    bench.until("2030-01-01T00:03:30Z").await;
    assert_eq!(bench.seen.lines(), ["acme:job@00:01:00"]);
    assert!(matches!(bench.tenant("acme").run_now("job").await, Err(SchedulerError::Overlapping { .. })));
    bench.seen.gate.0.add_permits(1);
    bench.until("2030-01-01T00:04:30Z").await;
    assert_eq!(bench.seen.lines(), ["acme:job@00:01:00", "acme:job@00:04:00"]);
}

#[tokio::test(start_paused = true)]
async fn queue_keeps_one_tick_waiting() {
    let bench = every_minute(Overlap::Queue, 16).await;
    bench.until("2030-01-01T00:04:30Z").await;
    assert_eq!(bench.seen.lines(), ["acme:job@00:01:00"]);
    bench.seen.gate.0.add_permits(2);
    settle().await;
    assert_eq!(bench.seen.lines(), ["acme:job@00:01:00", "acme:job@00:02:00"]);
    assert_eq!(bench.seen.ended().len(), 2);
    assert_eq!(bench.seen.most_at_once.lock().unwrap().1, 1);
    bench.until("2030-01-01T00:05:30Z").await;
    assert_eq!(bench.seen.begun().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn allow_runs_them_side_by_side() {
    let bench = every_minute(Overlap::Allow, 3).await;
    bench.until("2030-01-01T00:05:30Z").await;
    assert_eq!(bench.seen.begun().len(), 3, "three run, two wait for their turn");
    bench.seen.gate.0.add_permits(1);
    settle().await;
    assert_eq!(bench.seen.begun().len(), 4);
    bench.until("2030-01-01T02:00:30Z").await;
    bench.seen.gate.0.add_permits(1000);
    settle().await;
    assert_eq!(bench.seen.begun().len(), 4 + 64, "what waits is bounded");
    assert_eq!(bench.seen.most_at_once.lock().unwrap().1, 3);
}

#[tokio::test(start_paused = true)]
async fn removing_a_job_takes_its_waiting_run() {
    for overlap in [Overlap::Queue, Overlap::Allow] {
        let bench = every_minute(overlap, 1).await;
        bench.until("2030-01-01T00:03:30Z").await;
        assert!(bench.tenant("acme").remove("job").await.unwrap());
        bench.seen.gate.0.add_permits(10);
        bench.until("2030-01-01T00:10:00Z").await;
        assert_eq!(bench.seen.lines(), ["acme:job@00:01:00"], "{overlap:?}");
        // Nothing of it is left behind: the id works again.
        bench.tenant("acme").cron("job", "0 * * * * *", call("ok")).await.unwrap();
        bench.until("2030-01-01T00:11:30Z").await;
        assert_eq!(bench.seen.begun().len(), 2, "{overlap:?}");
    }
}
