//! The whole scheduler on a store, stopped and started.

use super::*;

fn settings() -> SchedulerSettings {
    SchedulerSettings { lease: seconds(3), ..SchedulerSettings::default() }
}

/// A process: a scheduler on the store, with its recorder.
async fn process(base: &Base) -> (Database, Scheduler, Arc<Recorder>) {
    let (database, store) = base.store().await;
    let scheduler = Scheduler::stored(Arc::new(store), settings()).unwrap();
    for job in ["ok", "gated", "fails", "panics"] {
        let rules = Rules { overlap: Overlap::Allow, ..Rules::default() };
        scheduler.register(StaticJob { plugin: "orders", job, schedule: None, rules });
    }
    (database, scheduler, Arc::default())
}

async fn start(scheduler: &Scheduler, seen: &Arc<Recorder>) {
    scheduler.start(Arc::new(Runner(Arc::clone(seen)))).await.unwrap();
}

fn tenant(scheduler: &Scheduler, name: &str) -> TenantScheduler {
    scheduler.tenant(&Tenant::admit(id(name), 1))
}

#[tokio::test]
async fn dynamic_jobs_pauses_and_what_waits_are_there_after_a_restart() {
    for base in Base::all().await {
        let (database, scheduler, seen) = process(&base).await;
        scheduler.tenant_activated(&id("acme"), 1).await.unwrap();
        let acme = tenant(&scheduler, "acme");
        acme.every("often", seconds(1), call("ok")).await.unwrap();
        acme.every("rests", seconds(1), call("ok")).await.unwrap();
        acme.pause("rests").await.unwrap();
        acme.after("soon", seconds(1), call("ok")).await.unwrap();
        acme.run_now("rests").await.unwrap();
        // It never started, so nothing has run when the process is gone.
        drop((acme, scheduler));
        database.close().await;
        drop(database);
        assert!(seen.begun().is_empty());

        let (_database, scheduler, seen) = process(&base).await;
        scheduler.tenant_activated(&id("acme"), 1).await.unwrap();
        let acme = tenant(&scheduler, "acme");
        assert!(acme.get("rests").await.unwrap().unwrap().paused);
        assert_eq!(acme.list().await.unwrap().len(), 3);
        start(&scheduler, &seen).await;
        let ran = |name: &str| seen.counts().get(name).copied().unwrap_or_default();
        eventually("all of it ran", async || ran("acme:often") > 2 && ran("acme:soon") == 1).await;
        assert_eq!(ran("acme:rests"), 1, "what waited, and no tick");
        assert!(acme.get("soon").await.unwrap().is_none(), "it came due once");
        scheduler.shutdown(seconds(1)).await;
    }
}

#[tokio::test]
async fn failures_and_panics_end_alone_and_are_written_down() {
    for base in Base::all().await {
        let (database, scheduler, seen) = process(&base).await;
        scheduler.tenant_activated(&id("acme"), 1).await.unwrap();
        let acme = tenant(&scheduler, "acme");
        start(&scheduler, &seen).await;
        for job in ["fails", "panics", "ok"] {
            acme.after(job, Duration::ZERO, call(job)).await.unwrap();
        }
        let find = || async {
            let text = "SELECT job, outcome, error FROM xcore_runs WHERE state = 2 ORDER BY job";
            let directory = database.directory();
            let statement = sea_orm::Statement::from_string(directory.get_database_backend(), text);
            directory.query_all_raw(statement).await.unwrap()
        };
        eventually("all ended", async || find().await.len() == 3).await;
        let column = |row: &sea_orm::QueryResult, name: &str| {
            row.try_get::<Option<String>>("", name).unwrap().unwrap_or_default()
        };
        let found: Vec<_> = find()
            .await
            .iter()
            .map(|row| ["job", "outcome", "error"].map(|name| column(row, name)))
            .collect();
        assert_eq!(
            found,
            [
                ["fails", "failed", "the job failed: it failed"],
                ["ok", "done", ""],
                ["panics", "panicked", "the job panicked: this job panics"],
            ]
        );
        scheduler.shutdown(seconds(1)).await;
    }
}

#[tokio::test]
async fn a_process_that_stops_leaves_its_runs_to_others_at_once() {
    for base in Base::all().await {
        let (database, scheduler, seen) = process(&base).await;
        scheduler.tenant_activated(&id("acme"), 1).await.unwrap();
        start(&scheduler, &seen).await;
        let acme = tenant(&scheduler, "acme");
        acme.after("held", Duration::ZERO, call("gated")).await.unwrap();
        eventually("it runs", async || seen.begun().len() == 1).await;
        let report = scheduler.shutdown(Duration::from_millis(50)).await;
        assert_eq!(report.cancelled, 1);
        drop((acme, scheduler));
        database.close().await;
        drop(database);

        let (_database, scheduler, seen) = process(&base).await;
        seen.gate.0.add_permits(1);
        let begun = std::time::Instant::now();
        start(&scheduler, &seen).await;
        eventually("it ran to its end", async || seen.ended().len() == 1).await;
        assert!(begun.elapsed() < seconds(2), "its lease would hold for longer: {:?}", begun.elapsed());
        scheduler.shutdown(seconds(1)).await;
    }
}

#[tokio::test]
async fn a_run_outlasts_its_lease_as_long_as_its_process_lives() {
    for base in Base::all().await {
        let (_database, scheduler, seen) = process(&base).await;
        scheduler.tenant_activated(&id("acme"), 1).await.unwrap();
        start(&scheduler, &seen).await;
        let acme = tenant(&scheduler, "acme");
        acme.after("long", Duration::ZERO, call("gated")).await.unwrap();
        eventually("it runs", async || seen.begun().len() == 1).await;
        tokio::time::sleep(seconds(5)).await;
        seen.gate.0.add_permits(1);
        eventually("it ran to its end", async || seen.ended().len() == 1).await;
        assert_eq!((seen.begun().len(), *seen.cancelled.lock().unwrap()), (1, 0));
        scheduler.shutdown(seconds(1)).await;
    }
}
