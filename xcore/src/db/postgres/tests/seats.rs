//! Connections that a tenant's plan allows it, in every mode.

use sea_orm::TransactionTrait;

use super::pooler::Behind;
use super::*;
use crate::db::{DatabaseError, DbRole};

/// Long enough to open a session on a busy machine.
const WAIT: Duration = Duration::from_secs(3);

/// Kitchens of every mode.
async fn everywhere(wait: Duration, check: impl AsyncFn(&Kitchen)) {
    let change = |settings: &mut DatabaseSettings| {
        settings.acquire_timeout = wait;
        settings.connections = 4;
    };
    check(&Kitchen::with(change).await).await;
    for role in [DbRole::SetRole, DbRole::Login] {
        let mut kitchen = roles::kitchen(DbRole::Shared, 4).await;
        change(&mut kitchen.settings);
        check(&kitchen.with_role(role).await).await;
    }
    let behind = Behind::with(4, change).await;
    check(&behind.kitchen).await;
}

impl Kitchen {
    /// A tenant with its tables, whose plan has so many seats.
    async fn seated(&self, name: &str, seats: u32) -> TenantDb {
        self.tenant(name).await;
        self.database.tenant(&Tenant::with_seats(id(name), seats))
    }
}

fn refused<T>(result: Result<T, sea_orm::DbErr>) -> Option<usize> {
    match DatabaseError::find_in(&result.err()?)? {
        DatabaseError::PlanConnections { connections, .. } => Some(*connections),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_holds_as_many_connections_as_its_plan_allows_and_others_hold_the_rest() {
    everywhere(WAIT, async |kitchen| {
        let (noisy, other) = (kitchen.seated("noisy", 2).await, kitchen.tenant("other").await);
        bake(&noisy, "apple").await;
        // Where statements can be sent in full they are from now on.
        if kitchen.clients.is_none() && !kitchen.postgres.roles.are_used() {
            let plain = || async { kitchen.postgres.pool.plain.is_plain(&id("noisy")) };
            eventually("that the schema is known", plain).await;
        }
        let first = noisy.begin().await.unwrap();
        assert_eq!(count(&first).await, 1);
        let second = noisy.begin().await.unwrap();
        assert_eq!(count(&second).await, 1);
        let begun = Instant::now();
        let (counting, running, beginning, _) = tokio::join!(
            cake::Entity::find().count(&noisy),
            noisy.execute_unprepared("SELECT 1"),
            noisy.begin(),
            bake(&other, "pear"),
        );
        assert_eq!((refused(counting), refused(running), refused(beginning)), (Some(2), Some(2), Some(2)));
        assert!((WAIT..WAIT * 5).contains(&begun.elapsed()), "it took {:?}", begun.elapsed());
        // Who waits goes on when one is given back.
        let (counted, ()) = tokio::join!(cake::Entity::find().count(&noisy), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            first.rollback().await.unwrap();
        });
        assert_eq!(counted.unwrap(), 1);
        drop(second);
        for _ in 0..5 {
            let both = [noisy.begin().await.unwrap(), noisy.begin().await.unwrap()];
            for one in both {
                assert_eq!(count(&one).await, 1);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_comes_back_however_an_operation_is_dropped() {
    everywhere(Duration::from_secs(20), async |kitchen| {
        let noisy = kitchen.seated("noisy", 1).await;
        for polls in 1..40 {
            let _ = poll_times(polls, cake::Entity::find().count(&noisy)).await;
            let _ = poll_times(polls, noisy.execute_unprepared("SELECT pg_sleep(0.01)")).await;
            let _ = poll_times(polls, async {
                let change = noisy.begin().await?;
                bake(&change, &format!("half {polls}")).await;
                change.commit().await
            })
            .await;
            let one = noisy.begin().await.unwrap();
            one.rollback().await.unwrap();
        }
        assert_eq!(kitchen.pool().users_of(&id("noisy")), 0);
    })
    .await;
}

/// Many tasks of one tenant wait for it alone: nobody else stands behind them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_wants_many_keeps_nobody_waiting_but_itself() {
    let kitchen = Kitchen::with(|settings| {
        settings.connections = 2;
        settings.acquire_timeout = Duration::from_secs(30);
    })
    .await;
    let (noisy, other) = (kitchen.seated("noisy", 1).await, kitchen.tenant("other").await);
    let all: Vec<_> = (0..40)
        .map(|_| {
            let noisy = noisy.clone();
            tokio::spawn(async move { noisy.execute_unprepared("SELECT pg_sleep(0.1)").await.unwrap() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    bake(&other, "pear").await;
    // Behind all of them it would be two seconds, and four when they take turns.
    assert!(begun.elapsed() < Duration::from_secs(1), "it took {:?}", begun.elapsed());
    assert!(!all.last().unwrap().is_finished());
    for one in all {
        one.await.unwrap();
    }
}
