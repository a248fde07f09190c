//! Jobs that run once, for no tenant.

use super::*;

fn app_job(schedule: Schedule) -> StaticJob {
    let rules = Rules { per: Per::App, ..Rules::default() };
    StaticJob { plugin: "orders", job: "ok", schedule: Some(schedule), rules }
}

#[tokio::test(start_paused = true)]
async fn a_job_of_the_app_runs_once_and_as_no_tenant() {
    for isolate in [true, false] {
        let settings =
            SchedulerSettings { isolate, default_tenant: Some(id("main")), ..SchedulerSettings::default() };
        let bench = Bench::new(settings);
        bench.scheduler.register(app_job(Schedule::cron("@hourly", "UTC").unwrap()));
        bench.declare("yields", Some(Schedule::cron("@hourly", "UTC").unwrap()), Overlap::Skip, None);
        for tenant in ["acme", "globex"] {
            bench.scheduler.tenant_activated(&id(tenant), 0).await.unwrap();
        }
        bench.start().await;
        bench.until("2030-01-01T02:30:00Z").await;
        let counts = bench.seen.counts();
        assert_eq!(counts["the app:orders.ok"], 2);
        let of_tenants = if isolate { ["acme", "globex"].as_slice() } else { &["main"] };
        let expected: BTreeMap<_, _> = of_tenants
            .iter()
            .map(|tenant| (format!("{tenant}:orders.yields"), 2))
            .chain([("the app:orders.ok".to_owned(), 2)])
            .collect();
        assert_eq!(counts, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn no_tenant_sees_or_schedules_a_job_of_the_app() {
    for isolate in [true, false] {
        let settings =
            SchedulerSettings { isolate, default_tenant: Some(id("main")), ..SchedulerSettings::default() };
        let bench = Bench::new(settings);
        bench.scheduler.register(app_job(Schedule::cron("@hourly", "UTC").unwrap()));
        bench.start().await;
        let acme = bench.tenant("acme");
        let refused = acme.every("own", seconds(60), call("ok")).await;
        assert!(matches!(refused, Err(SchedulerError::OfTheApp { .. })), "{refused:?}");
        assert!(acme.list().await.unwrap().is_empty());
        assert!(acme.get("orders.ok").await.unwrap().is_none());
        for refused in [acme.pause("orders.ok").await, acme.run_now("orders.ok").await] {
            assert!(matches!(refused, Err(SchedulerError::NoSuchJob { .. })), "{refused:?}");
        }
        assert!(!acme.remove("orders.ok").await.unwrap());
    }
}
