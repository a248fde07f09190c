//! What is kept of jobs.

use super::*;

async fn ids(store: &Stored<SharedDb>, tenant: &str) -> Vec<String> {
    store.list(owner(tenant)).await.unwrap().iter().map(|entry| entry.key.id.to_string()).collect()
}

#[tokio::test]
async fn what_is_stored_is_read_as_it_was() {
    for base in Base::all().await {
        let (_database, store) = base.store().await;
        store.open(owner("acme"), 1).await.unwrap();
        let rules = Rules {
            per: Per::Tenant,
            overlap: Overlap::Queue,
            timeout: Some(seconds(7)),
            misfire: Misfire::All(9),
            retries: Retries::new(3, Duration::from_millis(2_500)),
            jitter: seconds(1),
        };
        let schedules = [
            ("cron", Schedule::cron("0 30 6 * * MON-FRI", "America/Argentina/Buenos_Aires").unwrap()),
            ("every", Schedule::every(Duration::from_millis(1_500)).unwrap()),
            ("at", Schedule::at(time("2130-01-01T00:00:00.123456Z"))),
        ];
        for (id, schedule) in &schedules {
            store.put(job("acme", id, schedule.clone(), rules)).await.unwrap();
        }
        assert_eq!(ids(&store, "acme").await, ["at", "cron", "every"]);
        for (id, schedule) in schedules {
            let found = store.get(&key("acme", id)).await.unwrap().unwrap();
            assert_eq!((found.schedule, found.rules, found.call), (schedule, rules, call("ok")));
            assert!(!found.paused && !found.declared);
        }
        assert!(store.get(&key("globex", "cron")).await.unwrap().is_none());
        assert!(store.remove(&key("acme", "cron")).await.unwrap().is_some());
        assert!(store.remove(&key("acme", "cron")).await.unwrap().is_none());
        assert_eq!(ids(&store, "acme").await, ["at", "every"]);
    }
}

#[tokio::test]
async fn the_same_id_in_two_tenants_is_two_jobs() {
    for base in Base::all().await {
        let (_database, store) = base.store().await;
        for tenant in ["acme", "globex"] {
            store.open(owner(tenant), 1).await.unwrap();
            store.put(job(tenant, "nightly", every_second(), Rules::default())).await.unwrap();
        }
        store.set_paused(&key("acme", "nightly"), true, Utc::now()).await.unwrap().unwrap();
        assert!(!store.get(&key("globex", "nightly")).await.unwrap().unwrap().paused);
        store.remove(&key("acme", "nightly")).await.unwrap().unwrap();
        assert_eq!(ids(&store, "globex").await, ["nightly"]);
        store.close(owner("acme"), 1).await.unwrap();
        assert_eq!(ids(&store, "globex").await, ["nightly"]);
    }
}

#[tokio::test]
async fn who_hears_late_of_a_deletion_takes_nothing_of_the_next_tenant() {
    for base in Base::all().await {
        let (_database, store) = base.store().await;
        store.open(owner("acme"), 1).await.unwrap();
        store.put(job("acme", "first", every_second(), Rules::default())).await.unwrap();
        store.close(owner("acme"), 1).await.unwrap();
        let refused = store.put(job("acme", "spy", every_second(), Rules::default())).await;
        assert!(matches!(refused, Err(SchedulerError::TenantDeleted { .. })), "{refused:?}");
        store.open(owner("acme"), 2).await.unwrap();
        assert!(ids(&store, "acme").await.is_empty());
        store.put(job("acme", "second", every_second(), Rules::default())).await.unwrap();
        store.close(owner("acme"), 1).await.unwrap();
        store.open(owner("acme"), 1).await.unwrap();
        assert_eq!(ids(&store, "acme").await, ["second"]);
        // A removal that was cut off left this behind.
        store.open(owner("acme"), 3).await.unwrap();
        assert!(ids(&store, "acme").await.is_empty());
    }
}

#[tokio::test]
async fn a_job_that_is_stored_again_keeps_its_next_tick_and_its_pause() {
    for base in Base::all().await {
        let (database, store) = base.store().await;
        store.open(owner("acme"), 1).await.unwrap();
        let entry = job("acme", "job", every_second(), Rules::default());
        store.put(entry.clone()).await.unwrap();
        backdate(&database, 5).await;
        store.put(entry.clone()).await.unwrap();
        let calls = [call("ok")];
        let round = store.claim(&holder("one"), &calls, 10).await.unwrap();
        assert_eq!(names(&round), ["acme:job"], "its tick was not lost");
        store.set_paused(&entry.key, true, Utc::now()).await.unwrap();
        store.put(entry.clone()).await.unwrap();
        assert!(store.get(&entry.key).await.unwrap().unwrap().paused);
        store.report(&[done(round.runs[0].id)]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert!(store.claim(&holder("one"), &calls, 10).await.unwrap().runs.is_empty());
        store.set_paused(&entry.key, false, Utc::now()).await.unwrap();
        backdate(&database, 1).await;
        assert_eq!(names(&store.claim(&holder("one"), &calls, 10).await.unwrap()), ["acme:job"]);
    }
}

#[tokio::test]
async fn declared_jobs_are_those_of_the_program_that_started_last() {
    for base in Base::all().await {
        let (_database, store) = base.store().await;
        let declared =
            |id: &str| JobEntry { declared: true, ..job("acme", id, every_second(), Rules::default()) };
        let owners = || vec![(owner("acme"), 1)];
        store.activate(owners(), vec![declared("orders.a"), declared("orders.b")], Utc::now()).await.unwrap();
        store.put(job("acme", "own", every_second(), Rules::default())).await.unwrap();
        store.activate(owners(), vec![declared("orders.b"), declared("orders.c")], Utc::now()).await.unwrap();
        assert_eq!(ids(&store, "acme").await, ["orders.b", "orders.c", "own"]);
        store.activate(owners(), Vec::new(), Utc::now()).await.unwrap();
        assert_eq!(ids(&store, "acme").await, ["own"]);
    }
}
