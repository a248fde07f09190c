//! As many jobs as a plan allows, over all processes.

use std::sync::atomic::Ordering;

use super::*;

#[tokio::test]
async fn several_processes_together_add_no_more_jobs_than_a_tenant_may_have() {
    for base in Base::all().await {
        let (database, first) = base.store().await;
        first.open(owner("acme"), 1).await.unwrap();
        let declared =
            JobEntry { declared: true, ..job("acme", "orders.ok", every_second(), Rules::default()) };
        first.put(declared).await.unwrap();
        // As many connections and handles as two processes have.
        let second = Stored::new(database.directory(), Keep::default());
        for store in [&first, &second] {
            // All of them have counted before the first one adds.
            store.mutants.pause_before_addition.store(30, Ordering::Relaxed);
        }
        let acme = id("acme");
        let adding = (0..20).map(|number| {
            let store = if number % 2 == 0 { &first } else { &second };
            store.put_within(job("acme", &format!("job{number}"), every_second(), Rules::default()), &acme, 5)
        });
        let told = futures_util::future::join_all(adding).await;
        assert_eq!(told.iter().filter(|told| told.is_ok()).count(), 5);
        for refused in told.into_iter().filter_map(Result::err) {
            assert!(matches!(refused, SchedulerError::TooMany { most: 5, .. }), "{refused}");
        }
        let jobs = first.list(owner("acme")).await.unwrap();
        assert_eq!(jobs.iter().filter(|job| !job.declared).count(), 5);
        // In place of an earlier one, and of one that is gone.
        let earlier = jobs.iter().find(|job| !job.declared).unwrap().clone();
        first.put_within(earlier.clone(), &acme, 5).await.unwrap();
        first.remove(&earlier.key).await.unwrap().unwrap();
        first.put_within(job("acme", "late", every_second(), Rules::default()), &acme, 5).await.unwrap();
        let refused =
            first.put_within(job("acme", "later", every_second(), Rules::default()), &acme, 5).await;
        assert!(matches!(refused, Err(SchedulerError::TooMany { .. })), "{refused:?}");
        let gone =
            first.put_within(job("globex", "job", every_second(), Rules::default()), &id("globex"), 5).await;
        assert!(matches!(gone, Err(SchedulerError::TenantDeleted { .. })), "{gone:?}");
    }
}

#[tokio::test]
async fn a_tenant_with_a_thousand_jobs_keeps_none_of_the_others_waiting() {
    for base in Base::all().await {
        let (database, store) = base.store().await;
        let hourly = Schedule::every(seconds(3_600)).unwrap();
        let tenants: Vec<_> = (0..50).map(|number| format!("t{number}")).collect();
        let owners = tenants.iter().map(String::as_str).chain(["greedy"]).map(|tenant| (owner(tenant), 1));
        store.activate(owners.collect(), Vec::new(), Utc::now()).await.unwrap();
        let of_greedy =
            (0..1_000).map(|number| job("greedy", &format!("job{number}"), hourly.clone(), Rules::default()));
        let of_others = tenants.iter().map(|tenant| job(tenant, "job", hourly.clone(), Rules::default()));
        // The greedy one's are the first, by every order that a database may keep.
        for entry in of_greedy.chain(of_others) {
            store.put(entry).await.unwrap();
        }
        backdate(&database, 1).await;
        let mut claimed = Vec::new();
        for _ in 0..4 {
            claimed.extend(names(&store.claim(&holder("one"), &[call("ok")], 16).await.unwrap()));
        }
        let of_others = claimed.iter().filter(|name| !name.starts_with("greedy:")).count();
        assert_eq!((claimed.len(), of_others), (64, 50), "the first 51 are one of each tenant");
    }
}
