//! Runs that are put in line once, in a database: retried, dead, rescued, and in turns.

use super::*;
use crate::scheduler::queue::{Queue, Queued};

/// A process on the store, with queued work tried again once.
async fn process(base: &Base, concurrency: usize) -> (Database, Scheduler, Arc<Recorder>) {
    let (database, store) = base.store().await;
    let settings = SchedulerSettings { lease: seconds(3), concurrency, ..SchedulerSettings::default() };
    let scheduler = Scheduler::stored(Arc::new(store), settings).unwrap();
    for job in ["ok", "gated", "fails", "slow", "two_at_once"] {
        let retries = Retries::new(1, Duration::from_millis(10));
        scheduler.register(StaticJob {
            plugin: "orders",
            job,
            schedule: None,
            rules: Rules { retries, ..Rules::default() },
        });
    }
    (database, scheduler, Arc::default())
}

async fn start(scheduler: &Scheduler, seen: &Arc<Recorder>) {
    scheduler.start(Arc::new(Runner(Arc::clone(seen)))).await.unwrap();
}

async fn tenant(scheduler: &Scheduler, name: &str) -> TenantScheduler {
    scheduler.tenant_activated(&id(name), 1).await.unwrap();
    scheduler.tenant(&Tenant::admit(id(name), 1))
}

fn begun_of(seen: &Recorder, name: &str) -> usize {
    seen.begun().iter().filter(|run| run.tenant == name).count()
}

#[tokio::test]
async fn what_fails_is_tried_again_then_kept_aside_and_runs_once_more_when_asked_for() {
    for base in Base::all().await {
        let (_database, scheduler, seen) = process(&base, 4).await;
        let (acme, globex) = (tenant(&scheduler, "acme").await, tenant(&scheduler, "globex").await);
        start(&scheduler, &seen).await;
        let with = call("fails").with_arguments(&("ä", 7));
        acme.enqueue(with.clone()).await.unwrap();
        acme.enqueue(call("ok")).await.unwrap();
        eventually("it failed for good", async || acme.dead_letters().list().await.unwrap().len() == 1).await;
        assert_eq!(begun_of(&seen, "acme"), 3, "twice the one, once the other");
        let [letter] = &acme.dead_letters().list().await.unwrap()[..] else { panic!() };
        assert_eq!((&letter.job, &*letter.outcome), (&with, "failed"));
        assert!(
            letter.error.as_ref().unwrap().contains("it failed") && letter.failed_at >= letter.enqueued_at
        );

        assert!(globex.dead_letters().list().await.unwrap().is_empty());
        assert!(!globex.dead_letters().retry(&letter.id).await.unwrap(), "it is another tenant's");
        assert!(!globex.dead_letters().discard(&letter.id).await.unwrap());
        assert!(acme.list().await.unwrap().is_empty(), "a queued run is no job");

        assert!(acme.dead_letters().retry(&letter.id).await.unwrap());
        eventually("it failed again", async || {
            begun_of(&seen, "acme") == 5 && acme.dead_letters().list().await.unwrap().len() == 1
        })
        .await;
        assert!(acme.dead_letters().discard(&letter.id).await.unwrap());
        assert!(!acme.dead_letters().discard(&letter.id).await.unwrap());
        assert!(!acme.dead_letters().retry(&letter.id).await.unwrap());
        scheduler.shutdown(seconds(1)).await;
    }
}

#[tokio::test]
async fn work_rests_with_its_tenant_and_goes_with_it() {
    for base in Base::all().await {
        let (_database, scheduler, seen) = process(&base, 4).await;
        let acme = tenant(&scheduler, "acme").await;
        scheduler.tenant_suspended(&id("acme")).await.unwrap();
        start(&scheduler, &seen).await;
        acme.enqueue(call("ok")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(seen.begun().is_empty(), "it rests");
        scheduler.tenant_activated(&id("acme"), 1).await.unwrap();
        eventually("it goes on", async || seen.ended().len() == 1).await;

        scheduler.tenant_suspended(&id("acme")).await.unwrap();
        acme.enqueue(call("ok")).await.unwrap();
        scheduler.tenant_removed(&id("acme"), 1).await.unwrap();
        let refused = acme.enqueue(call("ok")).await;
        assert!(matches!(refused, Err(SchedulerError::TenantDeleted { .. })), "{refused:?}");
        scheduler.tenant_activated(&id("acme"), 2).await.unwrap();
        let refused = acme.enqueue(call("ok")).await;
        assert!(matches!(refused, Err(SchedulerError::TenantDeleted { .. })), "the next one of its name");
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(seen.begun().len(), 1);
        scheduler.shutdown(seconds(1)).await;
    }
}

#[tokio::test]
async fn work_follows_a_tenant_to_its_new_name() {
    for base in Base::all().await {
        let (_database, scheduler, seen) = process(&base, 4).await;
        let acme = tenant(&scheduler, "acme").await;
        start(&scheduler, &seen).await;
        acme.enqueue(call("fails")).await.unwrap();
        eventually("it is dead", async || acme.dead_letters().list().await.unwrap().len() == 1).await;
        scheduler.tenant_suspended(&id("acme")).await.unwrap();
        acme.enqueue(call("ok")).await.unwrap();
        for _ in 0..2 {
            scheduler.take_over(&Default::default(), &id("globex"), 5).await.unwrap();
            scheduler.take_over_queued((&id("acme"), 1), (&id("globex"), 5), None).await.unwrap();
        }
        scheduler.tenant_removed(&id("acme"), 1).await.unwrap();
        assert_eq!(begun_of(&seen, "globex"), 0);
        scheduler.tenant_activated(&id("globex"), 5).await.unwrap();
        let globex = scheduler.tenant(&Tenant::admit(id("globex"), 5));
        assert_eq!(globex.dead_letters().list().await.unwrap().len(), 1);
        eventually("it runs", async || begun_of(&seen, "globex") == 1).await;
        scheduler.shutdown(seconds(1)).await;
    }
}

#[tokio::test]
async fn a_flood_of_one_tenant_does_not_keep_another_one_waiting() {
    for base in Base::all().await {
        let (database, scheduler, seen) = process(&base, 4).await;
        let globex = tenant(&scheduler, "globex").await;
        tenant(&scheduler, "acme").await;
        let flood = (0..10_000)
            .map(|_| Queued::new(owner("acme"), Some(1), call("ok"), Utc::now()).unwrap())
            .collect();
        let store = Stored::new(database.directory(), Keep::default());
        assert_eq!(store.push(flood).await.unwrap(), 10_000);
        start(&scheduler, &seen).await;
        eventually("the flood runs", async || begun_of(&seen, "acme") > 100).await;
        let before = begun_of(&seen, "acme");
        globex.enqueue(call("ok")).await.unwrap();
        eventually("the other has its turn", async || begun_of(&seen, "globex") == 1).await;
        let meanwhile = begun_of(&seen, "acme") - before;
        assert!(meanwhile < 2_000, "{meanwhile} runs of the flood came first");
        scheduler.shutdown(seconds(1)).await;
    }
}

/// What of a tenant would only wait takes no place from others.
#[tokio::test]
async fn a_flood_of_a_tenant_whose_plan_allows_two_runs_leaves_the_places_to_others() {
    for base in Base::all().await {
        let (database, scheduler, seen) = process(&base, 4).await;
        let globex = tenant(&scheduler, "globex").await;
        tenant(&scheduler, "acme").await;
        let flood = (0..500)
            .map(|_| Queued::new(owner("acme"), Some(1), call("two_at_once"), Utc::now()).unwrap())
            .collect();
        Stored::new(database.directory(), Keep::default()).push(flood).await.unwrap();
        start(&scheduler, &seen).await;
        eventually("two of them run", async || seen.two.lock().unwrap().0 == 2).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begun = std::time::Instant::now();
        for _ in 0..10 {
            globex.enqueue(call("ok")).await.unwrap();
        }
        eventually("the others run", async || begun_of(&seen, "globex") == 10).await;
        // Each of the two takes five seconds.
        assert!(begun.elapsed() < seconds(4), "{:?}", begun.elapsed());
        assert!(seen.two.lock().unwrap().0 <= 2);
        let refused = begun_of(&seen, "acme");
        assert!(refused < 50, "it was asked {refused} times for two places");
        scheduler.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test]
async fn what_ended_is_forgotten_by_its_method_and_dead_letters_by_their_number() {
    for base in Base::all().await {
        let database = base.open().await;
        let store = Stored::new(database.directory(), Keep { runs: 3, ..Keep::default() });
        store.open(owner("acme"), 1).await.unwrap();
        let some = |count: usize| {
            (0..count).map(|_| Queued::new(owner("acme"), Some(1), call("ok"), Utc::now()).unwrap()).collect()
        };
        store.push(some(1_100)).await.unwrap();
        let set = "UPDATE xcore_runs SET state = 3, ended_at = number, outcome = 'failed'";
        database.directory().execute_unprepared(set).await.unwrap();
        store.push(some(10)).await.unwrap();
        let set =
            "UPDATE xcore_runs SET state = 2, ended_at = 9000000000000, outcome = 'done' WHERE state = 0";
        database.directory().execute_unprepared(set).await.unwrap();
        store.purge().await.unwrap();
        // Ended in 1970.
        assert!(store.dead_letters(owner("acme")).await.unwrap().is_empty(), "older than 30 days");
        let left = store.claim(&holder("a"), &[call("ok")], 10).await.unwrap();
        assert!(left.runs.is_empty());
        let count = || async {
            let directory = database.directory();
            let text = "SELECT count(*) AS n FROM xcore_runs";
            let statement = sea_orm::Statement::from_string(directory.get_database_backend(), text);
            directory.query_one_raw(statement).await.unwrap().unwrap().try_get::<i64>("", "n").unwrap()
        };
        assert_eq!(count().await, 3);
        store.push(some(1_100)).await.unwrap();
        let set =
            "UPDATE xcore_runs SET state = 3, ended_at = 9000000000000, outcome = 'failed' WHERE state = 0";
        database.directory().execute_unprepared(set).await.unwrap();
        store.purge().await.unwrap();
        assert_eq!(store.dead_letters(owner("acme")).await.unwrap().len(), 1_000);
        assert_eq!(count().await, 1_003);
    }
}
