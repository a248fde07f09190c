//! Everything at once: many tenants on few sessions, cancelled at random, on a server that kills sessions and restarts.
//!
//! `XCORE_CHAOS_SECONDS` says for how long each, default 8. Each rule has a mutant that the same test catches.

mod operations;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sea_orm::{DbBackend, Statement, TransactionTrait};
use sqlx::{AssertSqlSafe, Executor, Row};

use super::{Kitchen, Server, TABLES, cake, eventually, id, poll_times};
use crate::db::postgres::mutants::Mutant;
use crate::db::postgres::target::Target;
use crate::db::{DatabaseSettings, DbRole};

const TENANTS: usize = 50;
/// So many of them have code that alters the session unseen.
const HIDING: usize = 5;
const TASKS: usize = 64;
const CONNECTIONS: usize = 8;

/// What must stay zero, and enough of what must not to know that something was tried.
#[derive(Debug, Default)]
pub(super) struct Tally {
    foreign_reads: AtomicUsize,
    ghosts_served: AtomicUsize,
    leaked_state: AtomicUsize,
    pub(super) ended: AtomicUsize,
    pub(super) cancelled: AtomicUsize,
    pub(super) failed: AtomicUsize,
}

pub(super) struct World {
    pub(super) kitchen: Kitchen,
    pub(super) tally: Tally,
    /// Commits that were acknowledged: token, tenant.
    acknowledged: Mutex<Vec<(String, usize)>>,
    /// What was rolled back, or never committed.
    undone: Mutex<Vec<String>>,
    token: AtomicU64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) foreign_reads: usize,
    pub(super) foreign_writes: usize,
    pub(super) ghosts_served: usize,
    pub(super) lost_commits: usize,
    pub(super) kept_undone: usize,
    pub(super) leaked_state: usize,
    pub(super) lost_places: usize,
}

/// A small generator, so that a run needs no crate and can be read.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn name_of(tenant: usize) -> String {
    format!("tenant{tenant}")
}

fn raw(text: &str) -> Statement {
    Statement::from_string(DbBackend::Postgres, text)
}

impl World {
    /// Each cake is named after the tenant that it was meant for.
    fn token(&self, tenant: usize) -> String {
        format!("{}:{}", name_of(tenant), self.token.fetch_add(1, Ordering::Relaxed))
    }

    fn acknowledge(&self, tokens: impl IntoIterator<Item = String>, tenant: usize) {
        self.acknowledged.lock().unwrap().extend(tokens.into_iter().map(|token| (token, tenant)));
    }

    fn look(&self, rows: &[cake::Model], tenant: usize) {
        let own = format!("{}:", name_of(tenant));
        let foreign = rows.iter().filter(|row| !row.name.starts_with(&own)).count();
        self.tally.foreign_reads.fetch_add(foreign, Ordering::Relaxed);
    }

    async fn work(self: Arc<Self>, task: usize, until: Instant) {
        let mut dice = Dice(0x9e37_79b9 + task as u64 * 7919);
        // The full reset after disturbing SQL would mend what these broken rules leave.
        let mends = [Mutant::ReusesAnything, Mutant::RemembersBehindAPooler]
            .contains(&self.kitchen.pool().mutant.current());
        let kinds = if mends {
            9
        } else if self.kitchen.postgres.roles.are_used() {
            27
        } else {
            26
        };
        while Instant::now() < until {
            let (kind, tenant) = (dice.roll(kinds), dice.roll(TENANTS as u64) as usize);
            // Whatever may define something keeps statements off the fast way for a while; every other second nobody does that.
            let calm = (until - Instant::now()).as_secs().is_multiple_of(2);
            let kind = if calm && (matches!(kind, 16 | 23 | 24)) { 13 } else { kind };
            let operation = Arc::clone(&self).operate(kind, tenant);
            let polls = if dice.roll(4) == 0 { dice.roll(12) as usize } else { usize::MAX };
            // An operation that does not end is a defect of its own.
            match tokio::time::timeout(Duration::from_secs(60), poll_times(polls, operation)).await {
                Ok(Some(Ok(()))) => &self.tally.ended,
                Ok(Some(Err(_))) => &self.tally.failed,
                Ok(None) => &self.tally.cancelled,
                Err(_) => panic!("operation {kind} hangs"),
            }
            .fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Reads what is really there, past the service.
    async fn take_stock(&self) -> Outcome {
        let mut beside = self.kitchen.beside().await;
        let mut there: HashMap<String, usize> = HashMap::new();
        let mut foreign_writes = 0;
        for tenant in 0..TENANTS {
            let text = format!("SELECT name FROM {}.cake", name_of(tenant));
            for row in beside.fetch_all(AssertSqlSafe(text)).await.unwrap() {
                let name: String = row.get(0);
                foreign_writes += usize::from(!name.starts_with(&format!("{}:", name_of(tenant))));
                there.insert(name, tenant);
            }
        }
        let shared: i64 = beside.fetch_one("SELECT count(*) FROM public.cake").await.unwrap().get(0);
        foreign_writes += usize::try_from(shared).unwrap() - 1;
        let acknowledged = self.acknowledged.lock().unwrap();
        let undone = self.undone.lock().unwrap();
        let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        Outcome {
            foreign_reads: read(&self.tally.foreign_reads),
            foreign_writes,
            ghosts_served: read(&self.tally.ghosts_served),
            lost_commits: acknowledged.iter().filter(|(token, at)| there.get(token) != Some(at)).count(),
            kept_undone: undone.iter().filter(|token| there.contains_key(*token)).count(),
            leaked_state: read(&self.tally.leaked_state),
            lost_places: 0,
        }
    }
}

/// Ends sessions of the service at random.
async fn kill(world: Arc<World>, until: Instant) {
    let text = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
         AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1";
    let mut beside = world.kitchen.beside().await;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if beside.execute(text).await.is_err() {
            beside = world.kitchen.beside().await;
        }
    }
}

async fn chaos(
    server: &'static Server,
    role: DbRole,
    mutant: Mutant,
    time: Duration,
) -> (Outcome, Arc<World>) {
    let kitchen = Kitchen::on(server, |settings| {
        limits(settings);
        settings.db_role = role;
    })
    .await;
    chaos_in(kitchen, mutant, time, || server.restart(), CONNECTIONS).await
}

pub(super) fn limits(settings: &mut DatabaseSettings) {
    settings.connections = CONNECTIONS;
    settings.busy_timeout = Duration::from_secs(2);
}

/// Half-way something happens, unless a rule is broken.
pub(super) async fn chaos_in(
    kitchen: Kitchen,
    mutant: Mutant,
    time: Duration,
    half_way: impl FnOnce(),
    at_once: usize,
) -> (Outcome, Arc<World>) {
    let roles = Arc::clone(&kitchen.postgres.roles);
    kitchen.sql("DO $$ BEGIN CREATE ROLE chaos; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$").await;
    kitchen.sql(&format!("{TABLES}; INSERT INTO cake (name, price) VALUES ('of all', 1)")).await;
    for tenant in 0..TENANTS {
        let name = name_of(tenant);
        kitchen.database.provision(&id(&name)).await.unwrap();
        let owner = if roles.are_used() { roles.name(&id(&name)) } else { "postgres".to_owned() };
        let table = TABLES.replace("cake", &format!("{name}.cake"));
        kitchen.sql(&format!("{table}; ALTER TABLE {name}.cake OWNER TO {owner}")).await;
    }
    // A reset afterwards would mend what those broken rules leave.
    if ![Mutant::ReusesAnything, Mutant::RemembersBehindAPooler].contains(&mutant) {
        for tenant in 0..HIDING {
            kitchen.sql(&operations::hide(tenant)).await;
        }
        eventually("that the functions are known", || async {
            let alters = |tenant| kitchen.pool().may_alter(Target::Tenant(id(&name_of(tenant))));
            (0..HIDING).all(alters) && !alters(HIDING)
        })
        .await;
    }
    kitchen.pool().mutant.choose(mutant);
    let world = Arc::new(World {
        kitchen,
        tally: Tally::default(),
        acknowledged: Mutex::default(),
        undone: Mutex::default(),
        token: AtomicU64::new(0),
    });
    let until = Instant::now() + time;
    // A session that is killed would take the traces of a broken rule with it.
    let killing = if mutant == Mutant::None { until } else { Instant::now() };
    let killer = tokio::spawn(kill(Arc::clone(&world), killing));
    let tasks: Vec<_> = (0..TASKS).map(|n| tokio::spawn(Arc::clone(&world).work(n, until))).collect();
    if mutant == Mutant::None {
        tokio::time::sleep(time / 2).await;
        half_way();
    }
    for task in tasks {
        task.await.unwrap();
    }
    killer.await.unwrap();
    let pool = world.kitchen.pool();
    let mut outcome = Outcome::default();
    if mutant == Mutant::None {
        eventually("every place free again", || async { pool.free_places().0 == CONNECTIONS }).await;
        // And each serves, as many at once as there are sessions.
        let held = futures_util::future::join_all((0..at_once).map(|n| {
            let db = world.kitchen.handle(&name_of(n));
            async move { db.begin().await }
        }))
        .await;
        outcome.lost_places = held.iter().filter(|held| held.is_err()).count();
        drop(held);
    }
    outcome = Outcome { lost_places: outcome.lost_places, ..world.take_stock().await };
    (outcome, world)
}

pub(super) fn seconds(default: u64) -> Duration {
    let asked = std::env::var("XCORE_CHAOS_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(default))
}

/// Those with roles try less in the same time, so each of them has the processor for itself.
pub(super) static ALONE: tokio::sync::RwLock<()> = tokio::sync::RwLock::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_leaks_and_nothing_is_lost_in_chaos() {
    let _beside = ALONE.read().await;
    works(DbRole::Shared, seconds(8), (500, 200)).await;
}

/// The same with a role of each tenant.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_leaks_and_nothing_is_lost_in_chaos_with_roles() {
    let _alone = ALONE.write().await;
    works(DbRole::SetRole, seconds(8), (500, 10)).await;
}

/// And with a login of each tenant: a session ends when another tenant needs its place, so there is less done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_leaks_and_nothing_is_lost_in_chaos_with_logins() {
    let _alone = ALONE.write().await;
    works(DbRole::Login, seconds(8), (200, 0)).await;
}

/// At least so many operations must end, and so many statements go the fast way. Where the processor is busy with other things that takes
/// longer.
async fn works(role: DbRole, time: Duration, (ended, fast): (usize, usize)) {
    for time in [time, time * 2, time * 4] {
        // It is restarted, so it is one of its own.
        let server = Box::leak(Box::new(Server::start()));
        let (outcome, world) = chaos(server, role, Mutant::None, time).await;
        let tally = &world.tally;
        assert_eq!(outcome, Outcome::default(), "{tally:?}");
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        assert!(count(&tally.failed) < count(&tally.ended), "most must work: {tally:?}");
        let in_full = count(&world.kitchen.postgres.pool.stats.in_full);
        eprintln!("chaos: {tally:?}, {in_full} in full");
        if count(&tally.ended) > ended && count(&tally.cancelled) > ended / 10 && in_full > fast {
            return;
        }
    }
    panic!("too little was tried, or too few statements went the fast way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_rule_broken_on_purpose_is_caught_by_the_same_chaos() {
    for (mutant, caught) in [
        (
            Mutant::BelievesBeforeTheReply,
            (|o| o.ghosts_served > 0 || o.foreign_reads > 0) as fn(&Outcome) -> bool,
        ),
        (Mutant::ReusesAnything, |o| o.lost_commits > 0 || o.kept_undone > 0),
        (Mutant::TrustsAllSql, |o| o.foreign_reads > 0 && o.leaked_state > 0),
        // A forgotten switch does no harm where I4 holds, and much where it does not.
        (Mutant::ForgetsAFreshSession, |o| {
            // That it was forgotten shows in the path.
            o.leaked_state > 0
                && (o.foreign_reads, o.foreign_writes, o.ghosts_served, o.lost_commits) == (0, 0, 0, 0)
        }),
        (Mutant::FreshSessionsReadPublic, |o| o.foreign_reads > 0 && o.foreign_writes > 0),
        (Mutant::AsksForNoSchema, |o| o.ghosts_served > 0),
        (Mutant::BelievesFunctionsHarmless, |o| o.leaked_state > 0 || o.foreign_reads > 0),
        (Mutant::LooksAtNothing, |o| o.foreign_reads > 0 && o.leaked_state > 0),
    ] {
        let (outcome, world) = chaos(Server::get(), DbRole::Shared, mutant, Duration::from_secs(5)).await;
        let tally = &world.tally;
        assert!(caught(&outcome), "{mutant:?} went unnoticed: {outcome:?} {tally:?}");
        eprintln!("{mutant:?}: {outcome:?}");
    }
    for role in [DbRole::SetRole, DbRole::Login] {
        let (outcome, _) = chaos(Server::get(), role, Mutant::ForgetsTheRole, Duration::from_secs(5)).await;
        let caught = outcome.foreign_reads > 0 && outcome.leaked_state > 0;
        assert!(caught, "a forgotten role went unnoticed: {role:?} {outcome:?}");
        eprintln!("{role:?} forgotten: {outcome:?}");
    }
}
