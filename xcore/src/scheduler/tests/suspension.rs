//! Jobs of a tenant that is suspended.

use super::*;

fn minutely() -> Option<Schedule> {
    Some(Schedule::cron("0 * * * * *", "UTC").unwrap())
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_suspended_tenant_rest_and_those_of_others_run() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    bench.declare("ok", minutely(), Overlap::Skip, None);
    for tenant in ["acme", "globex"] {
        bench.scheduler.tenant_activated(&id(tenant), 0).await.unwrap();
    }
    let acme = bench.tenant("acme");
    acme.at("once", time("2030-01-01T00:02:30Z"), call("ok")).await.unwrap();
    acme.cron("paused", "30 * * * * *", call("ok")).await.unwrap();
    acme.pause("paused").await.unwrap();
    bench.until("2030-01-01T00:01:10Z").await;
    for _ in 0..2 {
        assert_eq!(bench.scheduler.tenant_suspended(&id("acme")).await.unwrap(), 0);
    }
    bench.until("2030-01-01T00:03:10Z").await;
    let before = bench.seen.counts();
    assert_eq!((before["acme:orders.ok"], before["globex:orders.ok"]), (1, 3), "{before:?}");
    assert!(!before.contains_key("acme:once"), "it came due while the tenant was suspended");

    for _ in 0..2 {
        bench.scheduler.tenant_activated(&id("acme"), 0).await.unwrap();
    }
    settle().await;
    assert_eq!(bench.seen.counts()["acme:orders.ok"], 1, "ticks that passed are not made up for");
    bench.until("2030-01-01T00:04:10Z").await;
    let after = bench.seen.counts();
    assert_eq!((after["acme:orders.ok"], after["acme:once"]), (2, 1), "{after:?}");
    assert!(acme.get("paused").await.unwrap().unwrap().paused && !after.contains_key("acme:paused"));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_its_turn_is_kept_and_one_under_way_ends() {
    let bench = Bench::started(SchedulerSettings { concurrency: 1, ..SchedulerSettings::default() }).await;
    for tenant in ["acme", "globex"] {
        bench.scheduler.tenant_activated(&id(tenant), 0).await.unwrap();
    }
    let acme = bench.tenant("acme");
    acme.at("first", time(BEGIN), call("gated")).await.unwrap();
    bench.until("2030-01-01T00:00:01Z").await;
    acme.at("second", time("2030-01-01T00:00:02Z"), call("ok")).await.unwrap();
    bench.until("2030-01-01T00:00:03Z").await;
    assert_eq!(bench.scheduler.tenant_suspended(&id("acme")).await.unwrap(), 1, "one is under way");
    bench.tenant("globex").at("other", time("2030-01-01T00:00:04Z"), call("ok")).await.unwrap();
    bench.seen.gate.0.add_permits(1);
    bench.until("2030-01-01T00:00:10Z").await;
    let ended: Vec<_> = bench.seen.ended().into_iter().map(|seen| seen.id).collect();
    assert_eq!(ended, ["first", "other"], "the one under way ended, the one that waited waits");
    bench.scheduler.tenant_activated(&id("acme"), 0).await.unwrap();
    settle().await;
    assert_eq!(bench.seen.counts().get("acme:second"), Some(&1));
    // A tenant that is deleted while it is suspended leaves no rest to the next of its name.
    bench.scheduler.tenant_suspended(&id("acme")).await.unwrap();
    bench.scheduler.tenant_removed(&id("acme"), 0).await.unwrap();
    bench.scheduler.tenant_opened(&id("acme"), 0).await.unwrap();
    acme.at("next", bench.clock.now(), call("ok")).await.unwrap();
    bench.until("2030-01-01T00:00:12Z").await;
    assert_eq!(bench.seen.counts().get("acme:next"), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_finds_its_tenant_suspended_is_kept_when_its_jobs_rest_and_ends_when_not() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    bench.scheduler.tenant_activated(&id("acme"), 0).await.unwrap();
    let acme = bench.tenant("acme");
    let begun = |job: &str| bench.seen.counts().get(&format!("acme:{job}")).copied();
    acme.at("lost", time("2030-01-01T00:00:02Z"), call("suspended")).await.unwrap();
    bench.until("2030-01-01T00:00:19Z").await;
    assert_eq!(begun("lost"), Some(1), "it is not tried again and again");

    acme.at("kept", time("2030-01-01T00:00:20Z"), call("suspended")).await.unwrap();
    bench.until("2030-01-01T00:00:22Z").await;
    assert_eq!(bench.scheduler.tenant_suspended(&id("acme")).await.unwrap(), 1, "one is under way");
    bench.until("2030-01-01T00:00:40Z").await;
    assert_eq!(begun("kept"), Some(1));
    bench.seen.gate.0.add_permits(1);
    bench.scheduler.tenant_activated(&id("acme"), 0).await.unwrap();
    bench.until("2030-01-01T00:01:00Z").await;
    assert_eq!((begun("kept"), begun("lost")), (Some(2), Some(1)));
    // Nor does it keep its job from running again.
    acme.at("kept", bench.clock.now(), call("ok")).await.unwrap();
    bench.until("2030-01-01T00:01:02Z").await;
    assert_eq!(begun("kept"), Some(3));
}
