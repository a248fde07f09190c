//! What plans allow.

use super::*;

#[tokio::test(start_paused = true)]
async fn runs_that_a_plan_does_not_allow_yet_wait_for_the_others_and_hold_no_place() {
    let bench = Bench::started(SchedulerSettings { concurrency: 3, ..SchedulerSettings::default() }).await;
    let acme = bench.tenant("acme");
    for number in 0..7 {
        acme.after(&format!("job{number}"), seconds(1), call("two_at_once")).await.unwrap();
    }
    bench.tenant("globex").after("job", seconds(2), call("ok")).await.unwrap();
    bench.until("2030-01-01T00:00:03Z").await;
    assert_eq!(*bench.seen.two.lock().unwrap(), (2, 0));
    assert!(bench.seen.ended().iter().any(|seen| seen.tenant == "globex"), "its place is free");
    let tried = bench.seen.begun().len();
    bench.until("2030-01-01T00:00:06Z").await;
    assert_eq!(bench.seen.begun().len(), tried, "nobody tries again and again");
    for (second, ended) in [(7, 2), (12, 4), (17, 6), (22, 7)] {
        bench.until(&format!("2030-01-01T00:00:{second:02}Z")).await;
        assert_eq!(bench.seen.two.lock().unwrap().1, ended, "after {second} s");
    }
    // Each that ends wakes one more than can begin, and no others.
    assert!(bench.seen.begun().len() <= 8 + 1 + 7, "{:?}", bench.seen.lines());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_others_is_suspended_removed_and_resumed_as_any() {
    let bench = Bench::started(SchedulerSettings { concurrency: 8, ..SchedulerSettings::default() }).await;
    for tenant in ["acme", "globex"] {
        bench.scheduler.tenant_activated(&id(tenant), 0).await.unwrap();
    }
    let acme = bench.tenant("acme");
    for number in 0..4 {
        acme.after(&format!("job{number}"), seconds(1), call("two_at_once")).await.unwrap();
    }
    bench.until("2030-01-01T00:00:02Z").await;
    assert_eq!(*bench.seen.two.lock().unwrap(), (2, 0));
    bench.scheduler.tenant_suspended(&id("acme")).await.unwrap();
    bench.until("2030-01-01T00:00:20Z").await;
    assert_eq!(*bench.seen.two.lock().unwrap(), (0, 2), "they rest");
    bench.scheduler.tenant_activated(&id("acme"), 0).await.unwrap();
    bench.until("2030-01-01T00:00:21Z").await;
    assert_eq!(*bench.seen.two.lock().unwrap(), (2, 2));
    for number in 4..8 {
        acme.after(&format!("job{number}"), seconds(0), call("two_at_once")).await.unwrap();
    }
    bench.until("2030-01-01T00:00:22Z").await;
    bench.scheduler.tenant_removed(&id("acme"), 0).await.unwrap();
    bench.until("2030-01-01T00:01:00Z").await;
    assert_eq!(*bench.seen.two.lock().unwrap(), (0, 4), "those that waited are gone");
}

#[tokio::test]
async fn a_tenant_keeps_as_many_jobs_as_it_may_and_its_declared_ones_do_not_count() {
    let memory = Memory::default();
    let (acme, owner) = (id("acme"), super::super::job::Owner::Tenant(id("acme")));
    let entry = |name: &str, declared| super::super::job::JobEntry {
        key: super::super::job::JobKey { owner, id: name.into() },
        call: call("ok"),
        schedule: Schedule::every(seconds(60)).unwrap(),
        rules: Rules::default(),
        declared,
        paused: false,
        since: time(BEGIN),
    };
    use super::super::backend::SchedulerBackend;
    memory.put(entry("orders.sweep", true)).await.unwrap();
    for name in ["one", "two"] {
        memory.put_within(entry(name, false), &acme, 2).await.unwrap();
    }
    let refused = memory.put_within(entry("three", false), &acme, 2).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::TooMany { most: 2, .. }), "{refused}");
    // In place of the earlier one.
    memory.put_within(entry("two", false), &acme, 2).await.unwrap();
    memory.remove(&entry("one", false).key).await.unwrap();
    memory.put_within(entry("three", false), &acme, 2).await.unwrap();
    assert!(memory.put_within(entry("four", false), &acme, 0).await.is_err());
}
