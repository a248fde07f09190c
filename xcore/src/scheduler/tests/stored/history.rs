//! How runs ended, with stored jobs.

use super::*;

#[tokio::test]
async fn a_tenant_sees_how_its_runs_ended_and_nobody_elses() {
    for base in Base::all().await {
        let (database, store) = base.store().await;
        for tenant in ["acme", "globex"] {
            store.open(owner(tenant), 1).await.unwrap();
            store.put(job(tenant, "job", every_second(), Rules::default())).await.unwrap();
        }
        for failed in [false, true] {
            backdate(&database, if failed { 100 } else { 200 }).await;
            let runs = store.claim(&holder("one"), &[call("ok")], 10).await.unwrap().runs;
            let of_acme = runs.iter().find(|run| run.key.owner == owner("acme")).unwrap().id;
            let error = "no".to_owned();
            let ending = Ending::Failed { outcome: RunOutcome::Panicked, error, retry_after: None };
            let told = if failed { Report { id: of_acme, ending } } else { done(of_acme) };
            store.report(&[told]).await.unwrap();
        }
        let history = store.history(&key("acme", "job")).await.unwrap();
        let told: Vec<_> =
            history.iter().map(|run| (run.outcome, run.error.as_deref(), run.tenant)).collect();
        let acme = Some(id("acme"));
        assert_eq!(told, [(RunOutcome::Panicked, Some("no"), acme), (RunOutcome::Done, None, acme)]);
        assert!(history[0].tick > history[1].tick && history[0].started.unwrap() <= history[0].ended);
        // Those of the other are under way.
        assert!(store.history(&key("globex", "job")).await.unwrap().is_empty());
        assert!(store.history(&key("acme", "other")).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn so_many_runs_are_shown_and_for_so_long_also_before_the_rest_is_forgotten() {
    for base in Base::all().await {
        let (database, _store) = base.store().await;
        let store = Stored::new(database.directory(), Keep { age: seconds(3_600), runs: 3 });
        store.open(owner("acme"), 1).await.unwrap();
        let rules = Rules { overlap: Overlap::Allow, ..Rules::default() };
        store.put(job("acme", "job", every_second(), rules)).await.unwrap();
        for _ in 0..5 {
            store.run_now(&key("acme", "job")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let runs = store.claim(&holder("one"), &[call("ok")], 10).await.unwrap().runs;
        store.report(&runs.iter().map(|run| done(run.id)).collect::<Vec<_>>()).await.unwrap();
        assert_eq!(store.history(&key("acme", "job")).await.unwrap().len(), 3);
        let text = "UPDATE xcore_runs SET ended_at = ended_at - 3700000";
        database.directory().execute_unprepared(text).await.unwrap();
        assert!(store.history(&key("acme", "job")).await.unwrap().is_empty());
    }
}
