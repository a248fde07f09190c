//! Runs that are put in line once, with jobs in memory.

use sea_orm::TransactionTrait;

use super::*;
use crate::db::{Database, DatabaseSettings};

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_then_kept_aside_for_its_own_tenant() {
    let bench = Bench::new(SchedulerSettings::default());
    let rules = Rules { retries: Retries::new(2, seconds(10)), ..Rules::default() };
    bench.scheduler.register(StaticJob { plugin: "orders", job: "fails", schedule: None, rules });
    bench.start().await;
    let (acme, globex) = (bench.tenant("acme"), bench.tenant("globex"));
    let with = call("fails").with_arguments(&(1,));
    acme.enqueue(with.clone()).await.unwrap();
    acme.enqueue(call("ok")).await.unwrap();
    bench.until("2030-01-01T00:00:20Z").await;
    assert!(acme.dead_letters().list().await.unwrap().is_empty(), "it is still tried again");
    bench.until("2030-01-01T00:01:00Z").await;
    assert_eq!(bench.seen.begun().len(), 4);
    let [letter] = &acme.dead_letters().list().await.unwrap()[..] else { panic!() };
    assert_eq!((&letter.job, &*letter.outcome), (&with, "failed"));
    assert!(globex.dead_letters().list().await.unwrap().is_empty());
    assert!(!globex.dead_letters().retry(&letter.id).await.unwrap());
    assert!(!globex.dead_letters().discard(&letter.id).await.unwrap());
    assert!(acme.dead_letters().retry(&letter.id).await.unwrap());
    assert!(acme.dead_letters().list().await.unwrap().is_empty());
    bench.until("2030-01-01T00:02:00Z").await;
    assert_eq!(bench.seen.begun().len(), 7, "it has all its retries again");
    assert!(acme.dead_letters().discard(&letter.id).await.unwrap());
    assert!(acme.dead_letters().list().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn unknown_methods_and_arguments_that_are_too_long_are_refused_at_once() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    let unknown = acme.enqueue(call("nothing")).await;
    assert!(matches!(unknown, Err(SchedulerError::UnknownCall { .. })), "{unknown:?}");
    let long = acme.enqueue(call("ok").with_arguments(&("x".repeat(70_000),))).await;
    assert!(matches!(long, Err(SchedulerError::LongArguments { .. })), "{long:?}");
    let long = acme.after("long", seconds(1), call("ok").with_arguments(&("x".repeat(70_000),))).await;
    assert!(matches!(long, Err(SchedulerError::LongArguments { .. })), "{long:?}");
}

#[tokio::test(start_paused = true)]
async fn work_rests_with_its_tenant_and_goes_with_it_and_follows_its_name() {
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    acme.enqueue(call("fails")).await.unwrap();
    settle().await;
    bench.scheduler.tenant_suspended(&id("acme")).await.unwrap();
    acme.enqueue(call("ok")).await.unwrap();
    settle().await;
    assert_eq!(bench.seen.begun().len(), 1);
    bench.scheduler.take_over(&Default::default(), &id("globex"), 5).await.unwrap();
    bench.scheduler.take_over_queued((&id("acme"), 0), (&id("globex"), 5), None).await.unwrap();
    bench.scheduler.tenant_removed(&id("acme"), 0).await.unwrap();
    assert!(matches!(acme.enqueue(call("ok")).await, Err(SchedulerError::TenantDeleted { .. })));
    settle().await;
    assert_eq!(bench.seen.begun().len(), 1);
    bench.scheduler.tenant_activated(&id("globex"), 5).await.unwrap();
    settle().await;
    let globex = bench.tenant("globex");
    assert_eq!(bench.seen.begun().last().unwrap().tenant, "globex");
    assert_eq!(globex.dead_letters().list().await.unwrap().len(), 1);
    bench.scheduler.tenant_removed(&id("globex"), 5).await.unwrap();
    assert!(globex.dead_letters().list().await.unwrap().is_empty());
    assert_eq!(bench.seen.begun().len(), 2);
}

/// The promise holds as long as the process lives.
#[tokio::test]
async fn work_in_memory_begins_with_the_commit_of_its_transaction_too() {
    let folder = tempfile::tempdir().unwrap();
    let settings = DatabaseSettings::new("sqlite://data", folder.path()).unwrap();
    let database = Database::open(settings).await.unwrap();
    database.provision(&id("acme")).await.unwrap();
    let bench = Bench::started(SchedulerSettings::default()).await;
    let acme = bench.tenant("acme");
    let db = database.tenant(&Tenant::admit(id("acme"), 0));
    let transaction = db.begin().await.unwrap();
    acme.enqueue(call("ok")).within(&transaction).await.unwrap();
    let savepoint = transaction.begin().await.unwrap();
    acme.enqueue(call("ok")).within(&savepoint).await.unwrap();
    savepoint.rollback().await.unwrap();
    settle().await;
    assert!(bench.seen.begun().is_empty());
    transaction.commit().await.unwrap();
    eventually("it runs", async || bench.seen.begun().len() == 1).await;
    let transaction = db.begin().await.unwrap();
    acme.enqueue(call("ok")).within(&transaction).await.unwrap();
    drop(transaction);
    let of_other = database.tenant(&Tenant::admit(id("acme"), 1)).begin().await.unwrap();
    let refused = acme.enqueue(call("ok")).within(&of_other).await;
    assert!(matches!(refused, Err(SchedulerError::OtherTransaction)), "{refused:?}");
    settle().await;
    assert_eq!(bench.seen.begun().len(), 1);
}
