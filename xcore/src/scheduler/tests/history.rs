//! How runs ended, with jobs in memory.

use super::*;

fn told(runs: &[RunInfo]) -> Vec<(String, RunOutcome, Option<&str>)> {
    runs.iter()
        .map(|run| (run.tick.format("%H:%M:%S").to_string(), run.outcome, run.error.as_deref()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_run_of_a_tenants_job_is_written_down_the_latest_first() {
    let bench = Bench::new(SchedulerSettings::default());
    bench.declare("hangs", None, Overlap::Skip, Some(seconds(3)));
    bench.start().await;
    let acme = bench.tenant("acme");
    for job in ["ok", "fails", "panics", "hangs", "slow"] {
        acme.cron(job, "0 * * * * *", call(job)).await.unwrap();
    }
    bench.until("2030-01-01T00:02:30Z").await;
    let history = async |job: &str| acme.history(job).await.unwrap();
    let at = |minute: &str| format!("00:{minute}:00");
    let ok = history("ok").await;
    assert_eq!(told(&ok), [(at("02"), RunOutcome::Done, None), (at("01"), RunOutcome::Done, None)]);
    let failed = history("fails").await;
    assert_eq!(told(&failed)[0], (at("02"), RunOutcome::Failed, Some("the job failed: it failed")));
    let panicked = history("panics").await;
    assert_eq!(
        told(&panicked)[0],
        (at("02"), RunOutcome::Panicked, Some("the job panicked: this job panics"))
    );
    assert_eq!(history("hangs").await[0].outcome, RunOutcome::TimedOut);
    let slow = &history("slow").await[0];
    assert_eq!(slow.tenant, Some(id("acme")));
    assert_eq!((slow.ended - slow.started.unwrap()).num_seconds(), 5);
    assert!(history("nothing").await.is_empty());
    // Also of a job that is gone.
    assert!(acme.remove("ok").await.unwrap());
    assert_eq!(history("ok").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_sees_its_own_runs_and_none_of_an_earlier_tenant_of_its_name() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    for tenant in ["acme", "globex"] {
        bench.tenant(tenant).every("job", seconds(60), call("slow")).await.unwrap();
    }
    bench.tenant("acme").every("own", seconds(60), call("ok")).await.unwrap();
    bench.until("2030-01-01T00:01:02Z").await;
    assert!(bench.tenant("globex").history("own").await.unwrap().is_empty());
    assert_eq!(bench.tenant("acme").history("own").await.unwrap().len(), 1);
    // A run of the first tenant of the name is under way and ends under the second.
    bench.scheduler.tenant_removed(&id("acme"), 0).await.unwrap();
    bench.scheduler.tenant_activated(&id("acme"), 1).await.unwrap();
    bench.until("2030-01-01T00:01:30Z").await;
    assert_eq!(bench.seen.ended().iter().filter(|seen| seen.id == "job").count(), 2);
    for job in ["own", "job"] {
        assert!(bench.tenant("acme").history(job).await.unwrap().is_empty(), "{job}");
    }
    assert_eq!(bench.tenant("globex").history("job").await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_tried_again_is_written_down_when_it_is_over() {
    let bench = Bench::new(SchedulerSettings::default());
    let rules = Rules { retries: Retries::new(2, seconds(10)), ..Rules::default() };
    bench.scheduler.register(StaticJob { plugin: "orders", job: "fails", schedule: None, rules });
    bench.start().await;
    let acme = bench.tenant("acme");
    acme.after("job", Duration::ZERO, call("fails")).await.unwrap();
    bench.until("2030-01-01T00:00:20Z").await;
    assert!(acme.history("job").await.unwrap().is_empty());
    bench.until("2030-01-01T00:01:00Z").await;
    let runs = acme.history("job").await.unwrap();
    assert_eq!((runs.len(), runs[0].failures, runs[0].outcome), (1, 2, RunOutcome::Failed));
}
