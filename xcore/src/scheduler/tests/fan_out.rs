//! One tick for many tenants.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tenants_each_run_once_at_one_tick() {
    let seen = Arc::new(Recorder::default());
    let scheduler = Scheduler::memory(SchedulerSettings::default()).unwrap();
    let next = Schedule::every(seconds(3600)).unwrap();
    let daily = Schedule::at(Utc::now() + TimeDelta::milliseconds(2500));
    for (job, schedule) in [("yields", daily), ("ok", next)] {
        scheduler.register(StaticJob {
            plugin: "orders",
            job,
            schedule: Some(schedule),
            rules: Rules::default(),
        });
    }
    scheduler.start(Arc::new(Runner(Arc::clone(&seen)))).await.unwrap();
    let start = std::time::Instant::now();
    for number in 0..10_000 {
        scheduler.tenant_activated(&id(&format!("t{number}")), 0).await.unwrap();
    }
    println!("activating 10,000 tenants with 2 jobs each took {:?}", start.elapsed());
    eventually("all tenants run", || async { seen.ended.lock().unwrap().len() >= 10_000 }).await;
    let tick = seen.begun()[0].tick;
    println!("all runs were done {} ms after the tick", (Utc::now() - tick).num_milliseconds());
    let counts = seen.counts();
    assert!(counts.len() == 10_000 && counts.values().all(|count| *count == 1));
    assert!(seen.most_at_once.lock().unwrap().1 <= 16, "concurrency is bounded");
    assert_eq!(scheduler.shutdown(seconds(10)).await, crate::scheduler::service::ShutdownReport::default());
    assert_eq!(seen.begun().len(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn tenants_take_turns() {
    let bench = Bench::started(SchedulerSettings { concurrency: 1, ..SchedulerSettings::default() }).await;
    for number in 0..100 {
        bench.tenant("greedy").cron(&format!("job{number}"), "0 * * * * *", call("slow")).await.unwrap();
    }
    bench.until("2030-01-01T00:01:00.500Z").await;
    // A hundred runs of five seconds stand in line, and then another tenant comes.
    bench.tenant("modest").after("job", seconds(1), call("ok")).await.unwrap();
    bench.until("2030-01-01T00:01:12Z").await;
    let place = bench.seen.begun().iter().position(|seen| seen.tenant == "modest");
    assert!(place.is_some_and(|place| place <= 2), "place {place:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fan_out_gives_each_tenant_its_turn_whatever_the_others_have() {
    let bench = Bench::started(SchedulerSettings { concurrency: 1, ..SchedulerSettings::default() }).await;
    for number in 0..500 {
        bench.tenant("greedy").cron(&format!("job{number}"), "0 * * * * *", call("slow")).await.unwrap();
    }
    for number in 0..20 {
        bench.tenant(&format!("t{number}")).cron("job", "0 * * * * *", call("slow")).await.unwrap();
    }
    // All are due at once, and each takes five seconds.
    bench.until("2030-01-01T00:02:59Z").await;
    let of_others = bench.seen.begun().iter().take(22).filter(|seen| seen.tenant != "greedy").count();
    assert!(of_others >= 20, "{of_others} of 20 had their turn among the first 22");
}
