//! What is claimed, by whom, and what becomes of it.

use std::sync::atomic::Ordering;

use super::*;

const ONE: fn() -> Holder = || holder("one");
const TWO: fn() -> Holder = || holder("two");

async fn claim(store: &Stored<SharedDb>, holder: Holder, wanted: usize) -> Round {
    store.claim(&holder, &[call("ok")], wanted).await.unwrap()
}

/// A store with these jobs of `acme`, due now.
async fn with_jobs(base: &Base, jobs: &[(&str, Rules)]) -> (Database, Stored<SharedDb>) {
    let (database, store) = base.store().await;
    store.open(owner("acme"), 1).await.unwrap();
    let hourly = Schedule::every(seconds(3_600)).unwrap();
    for (id, rules) in jobs {
        store.put(job("acme", id, hourly.clone(), *rules)).await.unwrap();
    }
    backdate(&database, 1).await;
    (database, store)
}

fn overlap(overlap: Overlap) -> Rules {
    Rules { overlap, ..Rules::default() }
}

/// Ends all leases, as if the processes had died a while ago.
async fn expire(database: &Database) {
    let text = "UPDATE xcore_runs SET lease_until = lease_until - 60000 WHERE state = 1";
    database.directory().execute_unprepared(text).await.unwrap();
}

/// How many runs ended how.
async fn outcomes(database: &Database) -> Vec<(Option<String>, i64)> {
    let directory = database.directory();
    let text = "SELECT outcome, count(*) AS runs FROM xcore_runs GROUP BY outcome ORDER BY outcome";
    let statement = sea_orm::Statement::from_string(directory.get_database_backend(), text);
    let rows = directory.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| (row.try_get("", "outcome").unwrap(), row.try_get("", "runs").unwrap())).collect()
}

#[tokio::test]
async fn a_tick_is_claimed_once() {
    for base in Base::all().await {
        let jobs: Vec<String> = (0..40).map(|number| format!("job{number:02}")).collect();
        let jobs: Vec<_> = jobs.iter().map(|id| (id.as_str(), Rules::default())).collect();
        let (_database, store) = with_jobs(&base, &jobs).await;
        let rounds =
            futures_util::future::join_all((0..8).map(|n| claim(&store, holder(&n.to_string()), 7))).await;
        let mut all: Vec<String> = rounds.iter().flat_map(names).collect();
        // Those who came in the same moment may have left some to the next.
        while all.len() < 40 {
            let more = names(&claim(&store, ONE(), 7).await);
            assert!(!more.is_empty(), "{} of 40", all.len());
            all.extend(more);
        }
        all.sort();
        assert_eq!(all, jobs.iter().map(|(id, _)| format!("acme:{id}")).collect::<Vec<_>>());
        assert!(claim(&store, TWO(), 100).await.runs.is_empty());
    }
}

#[tokio::test]
async fn the_run_of_a_process_that_died_is_finished_by_another() {
    for base in Base::all().await {
        let (database, store) = with_jobs(&base, &[("job", Rules::default())]).await;
        let first = claim(&store, ONE(), 10).await.runs.remove(0);
        assert!(claim(&store, TWO(), 10).await.runs.is_empty(), "its lease holds");
        expire(&database).await;
        let second = claim(&store, TWO(), 10).await.runs.remove(0);
        assert_eq!((&second.key, second.tick), (&first.key, first.tick));
        assert_eq!((second.id.run, second.id.token), (first.id.run, first.id.token + 1));
        // It was only stopped, and wakes.
        assert_eq!(store.renew(&ONE(), &[first.id]).await.unwrap(), [first.id]);
        assert_eq!(store.report(&[done(first.id)]).await.unwrap(), [first.id], "fenced off");
        assert_eq!(outcomes(&database).await, [(None, 1)]);
        assert!(store.renew(&TWO(), &[second.id]).await.unwrap().is_empty());
        assert!(store.report(&[done(second.id)]).await.unwrap().is_empty());
        assert_eq!(store.report(&[done(second.id)]).await.unwrap(), [second.id], "it ended already");
        assert_eq!(outcomes(&database).await, [(Some("done".to_owned()), 1)]);
    }
}

#[tokio::test]
async fn a_mutant_that_does_not_look_at_the_token_takes_what_a_process_says_that_was_stopped() {
    for base in Base::all().await {
        let (database, store) = with_jobs(&base, &[("job", Rules::default())]).await;
        store.mutants.ignores_tokens.store(true, Ordering::Relaxed);
        let first = claim(&store, ONE(), 10).await.runs.remove(0);
        expire(&database).await;
        claim(&store, TWO(), 10).await.runs.remove(0);
        store.report(&[done(first.id)]).await.unwrap();
        assert_eq!(outcomes(&database).await, [(Some("done".to_owned()), 1)]);
    }
}

#[tokio::test]
async fn a_mutant_that_does_not_look_at_the_lease_runs_twice() {
    for base in Base::all().await {
        let (_database, store) = with_jobs(&base, &[("job", overlap(Overlap::Allow))]).await;
        assert_eq!(claim(&store, ONE(), 10).await.runs.len(), 1);
        store.run_now(&key("acme", "job")).await.unwrap();
        store.mutants.ignores_leases.store(true, Ordering::Relaxed);
        assert_eq!(claim(&store, TWO(), 10).await.runs.len(), 2, "one of them has been claimed");
    }
}

#[tokio::test]
async fn a_run_that_kills_its_processes_is_given_up() {
    for base in Base::all().await {
        let (database, store) = with_jobs(&base, &[("job", Rules::default())]).await;
        for time in 1..=5 {
            assert_eq!(claim(&store, ONE(), 10).await.runs.len(), 1, "{time}");
            expire(&database).await;
        }
        assert!(claim(&store, ONE(), 10).await.runs.is_empty());
        assert_eq!(outcomes(&database).await, [(Some("lost".to_owned()), 1)]);
    }
}

#[tokio::test]
async fn rules_about_overlapping_hold_over_all_processes() {
    for base in Base::all().await {
        let jobs = [Overlap::Skip, Overlap::Queue, Overlap::Allow].map(overlap);
        let (database, store) =
            with_jobs(&base, &[("skip", jobs[0]), ("queue", jobs[1]), ("allow", jobs[2])]).await;
        let first = claim(&store, ONE(), 10).await;
        assert_eq!(names(&first), ["acme:allow", "acme:queue", "acme:skip"]);
        // Far from the first tick, whatever the time between the two.
        backdate(&database, 100).await;
        assert_eq!(names(&claim(&store, TWO(), 10).await), ["acme:allow"]);
        assert_eq!(store.run_now(&key("acme", "skip")).await.unwrap(), Some(false));
        assert_eq!(store.run_now(&key("acme", "queue")).await.unwrap(), Some(false), "one waits");
        assert_eq!(store.run_now(&key("acme", "nothing")).await.unwrap(), None);
        let ended: Vec<_> = first.runs.iter().map(|run| done(run.id)).collect();
        store.report(&ended).await.unwrap();
        assert_eq!(names(&claim(&store, TWO(), 10).await), ["acme:queue"]);
        assert_eq!(store.run_now(&key("acme", "skip")).await.unwrap(), Some(true));
        assert_eq!(names(&claim(&store, TWO(), 10).await), ["acme:skip"]);
    }
}

#[tokio::test]
async fn tenants_take_turns() {
    for base in Base::all().await {
        let (database, store) = base.store().await;
        for (tenant, jobs) in [("acme", 50), ("globex", 2), ("hooli", 1)] {
            store.open(owner(tenant), 1).await.unwrap();
            for number in 0..jobs {
                let hourly = Schedule::every(seconds(3_600)).unwrap();
                store.put(job(tenant, &format!("job{number:02}"), hourly, Rules::default())).await.unwrap();
            }
        }
        backdate(&database, 1).await;
        let first = names(&claim(&store, ONE(), 5).await);
        let of = |tenant: &str| first.iter().filter(|name| name.starts_with(tenant)).count();
        assert_eq!((of("acme"), of("globex"), of("hooli")), (2, 2, 1), "{first:?}");
    }
}

#[tokio::test]
async fn a_run_whose_method_the_program_does_not_have_is_left_to_another() {
    for base in Base::all().await {
        let (_database, store) = with_jobs(&base, &[("job", Rules::default())]).await;
        assert!(store.claim(&ONE(), &[call("other")], 10).await.unwrap().runs.is_empty());
        assert_eq!(claim(&store, TWO(), 10).await.runs.len(), 1);
    }
}

#[tokio::test]
async fn jobs_of_a_suspended_tenant_rest_wherever_they_would_run() {
    for base in Base::all().await {
        let (database, store) = with_jobs(&base, &[("job", Rules::default())]).await;
        store.run_now(&key("acme", "job")).await.unwrap();
        store.set_resting(owner("acme"), true, Utc::now()).await.unwrap();
        assert!(claim(&store, ONE(), 10).await.runs.is_empty(), "what waits goes on waiting");
        store.put(job("acme", "more", every_second(), Rules::default())).await.unwrap();
        let later = Utc::now() + TimeDelta::seconds(1);
        store.activate(vec![(owner("acme"), 1)], Vec::new(), later).await.unwrap();
        assert_eq!(names(&claim(&store, ONE(), 10).await), ["acme:job"]);
        backdate(&database, 1).await;
        assert_eq!(names(&claim(&store, ONE(), 10).await), ["acme:more"]);
    }
}

#[tokio::test]
async fn a_run_that_is_given_back_runs_again_and_a_failed_one_does_not() {
    for base in Base::all().await {
        let (database, store) = with_jobs(&base, &[("job", Rules::default())]).await;
        let first = claim(&store, ONE(), 10).await.runs.remove(0);
        store.report(&[Report { id: first.id, ending: Ending::Released }]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        let second = claim(&store, TWO(), 10).await.runs.remove(0);
        let error = "it \0 failed".repeat(1_000);
        let failed = Ending::Failed { outcome: RunOutcome::Failed, error, retry_after: None };
        store.report(&[Report { id: second.id, ending: failed }]).await.unwrap();
        assert!(claim(&store, TWO(), 10).await.runs.is_empty());
        assert_eq!(outcomes(&database).await, [(Some("failed".to_owned()), 1)]);
    }
}

#[tokio::test]
async fn ticks_that_were_missed_have_the_runs_that_the_rule_gives_them() {
    for base in Base::all().await {
        let (database, store) = base.store().await;
        store.open(owner("acme"), 1).await.unwrap();
        for (id, misfire) in [("skip", Misfire::Skip), ("once", Misfire::Once), ("all", Misfire::All(5))] {
            let rules = Rules { misfire, overlap: Overlap::Allow, ..Rules::default() };
            let minutely = Schedule::cron("* * * * *", "UTC").unwrap();
            store.put(job("acme", id, minutely, rules)).await.unwrap();
        }
        let hour_ago = (Utc::now() - TimeDelta::hours(1)).timestamp() / 60 * 60_000;
        let text = format!("UPDATE xcore_jobs SET due = {hour_ago}");
        database.directory().execute_unprepared(&text).await.unwrap();
        let found = names(&claim(&store, ONE(), 100).await);
        let of = |job: &str| found.iter().filter(|name| name.ends_with(job)).count();
        assert_eq!((of("once"), of("all")), (1, 5), "{found:?}");
        assert!(of("skip") <= 1, "only one that came within the last minute");
    }
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten() {
    for base in Base::all().await {
        let (database, _) = with_jobs(&base, &[("job", overlap(Overlap::Allow))]).await;
        let store = Stored::new(database.directory(), Keep { age: seconds(3_600), runs: 3 });
        for _ in 0..5 {
            store.run_now(&key("acme", "job")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let all: Vec<_> = claim(&store, ONE(), 10).await.runs.iter().map(|run| done(run.id)).collect();
        store.report(&all).await.unwrap();
        store.purge().await.unwrap();
        assert_eq!(outcomes(&database).await, [(Some("done".to_owned()), 3)]);
        let text = "UPDATE xcore_runs SET ended_at = ended_at - 3700000";
        database.directory().execute_unprepared(text).await.unwrap();
        store.purge().await.unwrap();
        assert!(outcomes(&database).await.is_empty());
    }
}

#[tokio::test]
async fn a_run_that_is_tried_again_waits_and_counts_its_failures() {
    for base in Base::all().await {
        let (database, store) = with_jobs(&base, &[("job", Rules::default())]).await;
        for failures in 0..3 {
            let run = claim(&store, ONE(), 10).await.runs.remove(0);
            assert_eq!(run.failures, failures);
            let after = Duration::from_millis(300);
            let ending =
                Ending::Failed { outcome: RunOutcome::Failed, error: "no".into(), retry_after: Some(after) };
            store.report(&[Report { id: run.id, ending }]).await.unwrap();
            assert!(claim(&store, ONE(), 10).await.runs.is_empty(), "it rests");
            tokio::time::sleep(Duration::from_millis(350)).await;
        }
        assert_eq!(outcomes(&database).await, [(Some("failed".to_owned()), 1)]);
    }
}

#[tokio::test]
async fn a_run_whose_job_was_removed_is_not_tried_again() {
    for base in Base::all().await {
        let (database, store) =
            with_jobs(&base, &[("job", Rules::default()), ("other", Rules::default())]).await;
        let runs = claim(&store, ONE(), 10).await.runs;
        store.remove(&key("acme", "job")).await.unwrap();
        let failed = || Ending::Failed {
            outcome: RunOutcome::Failed,
            error: "no".into(),
            retry_after: Some(Duration::ZERO),
        };
        let reports: Vec<_> = runs.iter().map(|run| Report { id: run.id, ending: failed() }).collect();
        store.report(&reports).await.unwrap();
        assert_eq!(names(&claim(&store, ONE(), 10).await), ["acme:other"]);
        expire(&database).await;
        store.remove(&key("acme", "other")).await.unwrap();
        assert!(claim(&store, TWO(), 10).await.runs.is_empty(), "nor after its process died");
    }
}

#[tokio::test]
async fn runs_of_one_tick_are_spread_over_the_window() {
    for base in Base::all().await {
        let (database, store) = base.store().await;
        let rules = Rules { jitter: seconds(600), ..Rules::default() };
        let owners: Vec<_> = (0..200).map(|number| (owner(&format!("t{number}")), 1)).collect();
        store.activate(owners.clone(), Vec::new(), Utc::now()).await.unwrap();
        let hourly = Schedule::every(seconds(3_600)).unwrap();
        for (number, _) in owners.iter().enumerate() {
            store.put(job(&format!("t{number}"), "job", hourly.clone(), rules)).await.unwrap();
        }
        backdate(&database, 1).await;
        let now = claim(&store, ONE(), 1_000).await.runs.len();
        assert!(now < 20, "{now} of 200 at once");
        let text = "UPDATE xcore_runs SET run_at = run_at - 300000";
        database.directory().execute_unprepared(text).await.unwrap();
        let half = now + claim(&store, ONE(), 1_000).await.runs.len();
        assert!((60..140).contains(&half), "{half} of 200 in half of the window");
        database.directory().execute_unprepared(text).await.unwrap();
        assert_eq!(half + claim(&store, ONE(), 1_000).await.runs.len(), 200);
    }
}
