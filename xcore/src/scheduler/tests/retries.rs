//! Runs that are tried again, spread or made up for, with jobs in memory.

use super::*;

fn declare(bench: &Bench, job: &'static str, rules: Rules) {
    bench.scheduler.register(StaticJob { plugin: "orders", job, schedule: None, rules });
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_is_tried_again_after_longer_and_longer_waits() {
    let bench = Bench::new(SchedulerSettings::default());
    let rules = Rules { retries: Retries::new(2, seconds(10)), ..Rules::default() };
    for job in ["fails", "panics", "ok"] {
        declare(&bench, job, rules);
    }
    bench.start().await;
    let acme = bench.tenant("acme");
    for job in ["fails", "panics", "ok"] {
        acme.after(job, Duration::ZERO, call(job)).await.unwrap();
    }
    let failed = || bench.seen.counts()["acme:fails"];
    bench.until("2030-01-01T00:00:09Z").await;
    assert_eq!(failed(), 1);
    bench.until("2030-01-01T00:00:11Z").await;
    assert_eq!(failed(), 2);
    bench.until("2030-01-01T00:00:29Z").await;
    assert_eq!(failed(), 2, "the second wait is twice as long");
    bench.until("2030-01-01T01:00:00Z").await;
    let counts = bench.seen.counts();
    assert_eq!((counts["acme:fails"], counts["acme:panics"], counts["acme:ok"]), (3, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn no_retry_runs_for_a_tenant_that_is_gone() {
    let bench = Bench::new(SchedulerSettings::default());
    declare(&bench, "fails", Rules { retries: Retries::new(5, seconds(10)), ..Rules::default() });
    bench.start().await;
    bench.tenant("acme").after("fails", Duration::ZERO, call("fails")).await.unwrap();
    bench.until("2030-01-01T00:00:05Z").await;
    bench.scheduler.tenant_removed(&id("acme"), 0).await.unwrap();
    bench.until("2030-01-01T01:00:00Z").await;
    assert_eq!(bench.seen.counts()["acme:fails"], 1);
}

#[tokio::test(start_paused = true)]
async fn no_retry_of_a_tenant_that_is_gone_is_one_of_the_next_tenant_of_its_name() {
    let bench = Bench::new(SchedulerSettings::default());
    declare(&bench, "fails", Rules { retries: Retries::new(5, seconds(10)), ..Rules::default() });
    declare(&bench, "suspended", Rules { retries: Retries::new(5, seconds(10)), ..Rules::default() });
    bench.start().await;
    // One waits for its retry, and one is under way.
    bench.tenant("acme").after("fails", Duration::ZERO, call("fails")).await.unwrap();
    bench.until("2030-01-01T00:00:05Z").await;
    bench.tenant("acme").after("slow", Duration::ZERO, call("suspended")).await.unwrap();
    settle().await;
    bench.scheduler.tenant_removed(&id("acme"), 0).await.unwrap();
    bench.scheduler.tenant_activated(&id("acme"), 1).await.unwrap();
    bench.until("2030-01-01T01:00:00Z").await;
    let counts = bench.seen.counts();
    assert_eq!((counts["acme:fails"], counts["acme:slow"]), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn no_retry_runs_of_a_job_that_was_removed() {
    let bench = Bench::new(SchedulerSettings::default());
    declare(&bench, "fails", Rules { retries: Retries::new(5, seconds(10)), ..Rules::default() });
    bench.start().await;
    let acme = bench.tenant("acme");
    for job in ["goes", "stays"] {
        acme.every(job, seconds(3_600), call("fails")).await.unwrap();
        acme.run_now(job).await.unwrap();
    }
    bench.until("2030-01-01T00:00:05Z").await;
    assert!(acme.remove("goes").await.unwrap());
    bench.until("2030-01-01T00:30:00Z").await;
    let counts = bench.seen.counts();
    assert_eq!((counts["acme:goes"], counts["acme:stays"]), (1, 6));
}

#[tokio::test(start_paused = true)]
async fn jitter_spreads_the_runs_of_a_tick() {
    let bench = Bench::new(SchedulerSettings::default());
    declare(&bench, "ok", Rules { jitter: seconds(60), ..Rules::default() });
    bench.start().await;
    for number in 0..100 {
        bench.tenant(&format!("t{number}")).cron("hourly", "0 0 * * * *", call("ok")).await.unwrap();
    }
    bench.until("2030-01-01T01:00:30Z").await;
    let half = bench.seen.begun().len();
    assert!((25..75).contains(&half), "{half}");
    bench.until("2030-01-01T01:01:01Z").await;
    assert_eq!(bench.seen.begun().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_held_up_driver_makes_up_as_the_rule_says() {
    let bench = Bench::new(SchedulerSettings::default());
    let rules = |misfire| Rules { misfire, overlap: Overlap::Allow, ..Rules::default() };
    declare(&bench, "ok", rules(Misfire::All(4)));
    declare(&bench, "yields", rules(Misfire::Skip));
    bench.start().await;
    let acme = bench.tenant("acme");
    acme.cron("all", "0 * * * * *", call("ok")).await.unwrap();
    acme.cron("skips", "0 0 * * * *", call("yields")).await.unwrap();
    bench.until("2030-01-01T00:58:30Z").await;
    // Over ten ticks of the one and one of the other, which is late by more than a minute then.
    tokio::time::advance(seconds(600)).await;
    settle().await;
    let counts = bench.seen.counts();
    assert_eq!((counts["acme:all"], counts.get("acme:skips")), (58 + 4, None));
}
