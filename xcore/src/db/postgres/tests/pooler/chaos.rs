//! Everything at once, behind a pooler that has half as many sessions as the service has connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::Server;
use super::super::chaos::{ALONE, Outcome, World, chaos_in, limits, seconds};
use super::Behind;
use crate::db::postgres::mutants::Mutant;
use crate::db::{DatabaseSettings, DbRole};

/// Fewer than the service has connections.
const SESSIONS: usize = 4;

async fn chaos(
    server: &'static Server,
    role: DbRole,
    mutant: Mutant,
    time: Duration,
) -> (Outcome, Arc<World>) {
    let change = |settings: &mut DatabaseSettings| {
        limits(settings);
        settings.db_role = role;
    };
    let Behind { kitchen, pooler, .. } = Behind::on(server, SESSIONS, change).await;
    let restart = || {
        server.restart();
        pooler.restart();
    };
    chaos_in(kitchen, mutant, time, restart, SESSIONS).await
}

/// Its server is restarted, so it has one of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_leaks_and_nothing_is_lost_in_chaos_behind_a_pooler() {
    let _beside = ALONE.read().await;
    works(DbRole::Shared, seconds(8)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_leaks_and_nothing_is_lost_in_chaos_with_roles_behind_a_pooler() {
    let _alone = ALONE.write().await;
    works(DbRole::SetRole, seconds(8)).await;
}

async fn works(role: DbRole, time: Duration) {
    let server = Box::leak(Box::new(Server::start()));
    let (outcome, world) = chaos(server, role, Mutant::None, time).await;
    let tally = &world.tally;
    assert_eq!(outcome, Outcome::default(), "{tally:?}");
    let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    assert!(count(&tally.ended) > 500 && count(&tally.cancelled) > 50, "too little was tried: {tally:?}");
    assert!(count(&tally.failed) < count(&tally.ended), "most must work: {tally:?}");
    let units = count(&world.kitchen.pool().stats.switches);
    assert!(units > count(&tally.ended), "each is a unit of work at least: {units}");
    eprintln!("chaos behind a pooler: {tally:?}, {units} units of work");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_rule_broken_on_purpose_is_caught_by_the_same_chaos_behind_a_pooler() {
    for (mutant, caught) in [
        (
            Mutant::RemembersBehindAPooler,
            (|o| o.foreign_reads > 0 && o.foreign_writes > 0) as fn(&Outcome) -> bool,
        ),
        (Mutant::ReusesAnything, |o| o.lost_commits > 0 || o.kept_undone > 0),
        (Mutant::TrustsAllSql, |o| o.leaked_state > 0),
        (Mutant::AsksForNoSchema, |o| o.ghosts_served > 0),
        // Within a transaction: a trigger has moved the path.
        (Mutant::BelievesFunctionsHarmless, |o| o.foreign_reads > 0 || o.foreign_writes > 0),
    ] {
        let (outcome, world) = chaos(Server::get(), DbRole::Shared, mutant, Duration::from_secs(5)).await;
        let tally = &world.tally;
        assert!(caught(&outcome), "{mutant:?} went unnoticed: {outcome:?} {tally:?}");
        eprintln!("{mutant:?} behind a pooler: {outcome:?}");
    }
    let (outcome, _) =
        chaos(Server::get(), DbRole::SetRole, Mutant::ForgetsTheRole, Duration::from_secs(5)).await;
    let caught = outcome.foreign_reads > 0 && outcome.leaked_state > 0;
    assert!(caught, "a forgotten role went unnoticed behind a pooler: {outcome:?}");
}
