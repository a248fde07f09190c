//! Three processes on one PostgreSQL server, killed and stopped at random.
//!
//! `XCORE_CHAOS_SECONDS=120 XCORE_CHAOS_TENANTS=500 cargo test -p xcore --lib --all-features -- --nocapture three_processes`
//! is the long run.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use sea_orm::Statement;

use super::*;

/// How long a run is left to a process that is silent.
const LEASE: Duration = Duration::from_secs(3);

/// Where a replica finds its database. This program is a replica when it is set.
const URL: &str = "XCORE_REPLICA_URL";

/// Set for replicas that take runs whose lease still holds.
const MUTANT: &str = "XCORE_REPLICA_MUTANT";

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Writes down each run, as a job would that is not careful about running twice.
struct Writes {
    database: Database,
    replica: String,
}

impl JobRunner for Writes {
    fn run(&self, run: JobRun) -> BoxFuture<'static, Result<(), JobFailure>> {
        let (directory, replica) = (self.database.directory(), self.replica.clone());
        async move {
            let tenant = run.tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
            let values = [tenant.into(), run.tick.timestamp_millis().into(), replica.into()];
            let text = "INSERT INTO executions (tenant, tick, replica) VALUES ($1, $2, $3)";
            let statement = Statement::from_sql_and_values(directory.get_database_backend(), text, values);
            let failed = |source| JobFailure::Failed { source: Box::new(source) };
            directory.execute_raw(statement).await.map_err(failed)?;
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(())
        }
        .boxed()
    }
}

async fn scheduler(database: &Database) -> Scheduler {
    let store = Stored::new(database.directory(), Keep { runs: 100_000, ..Keep::default() });
    let is_mutant = std::env::var_os(MUTANT).is_some();
    store.mutants.ignores_leases.store(is_mutant, std::sync::atomic::Ordering::Relaxed);
    let settings = SchedulerSettings { lease: LEASE, ..SchedulerSettings::default() };
    let scheduler = Scheduler::stored(Arc::new(store), settings).unwrap();
    let rules = Rules { overlap: Overlap::Allow, misfire: Misfire::All(1_000), ..Rules::default() };
    let schedule = Some(every_second());
    scheduler.register(StaticJob { plugin: "orders", job: "tick", schedule, rules });
    scheduler
}

/// Not a test but what a replica does; the program starts itself with this name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replica() {
    let Ok(url) = std::env::var(URL) else { return };
    let base = Base { url, folder: tempfile::tempdir().unwrap() };
    let database = base.open().await;
    let scheduler = scheduler(&database).await;
    let replica = std::process::id().to_string();
    scheduler.start(Arc::new(Writes { database, replica })).await.unwrap();
    // It ends with the one who started it.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    std::process::exit(0);
}

/// A replica that is killed when it is dropped.
struct Replica(Child);

impl Replica {
    fn start(url: &str, is_mutant: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["scheduler::tests::stored::replicas::replica", "--exact", "--nocapture"]);
        command.env(URL, url).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        if is_mutant {
            command.env(MUTANT, "1");
        }
        Self(command.spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn ask(database: &Database, text: &str) -> i64 {
    let directory = database.directory();
    let statement = Statement::from_string(directory.get_database_backend(), format!("SELECT ({text}) AS n"));
    let row = directory.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get::<Option<i64>>("", "n").unwrap().unwrap_or_default()
}

/// Ticks that ran more often than processes lost them, which is once too often.
const TOO_OFTEN: &str = "\
    SELECT count(*) FROM xcore_runs r WHERE 1 + r.losses < (
        SELECT count(*) FROM executions e WHERE e.tenant = r.owner AND e.tick = r.tick)";

/// A server with tenants whose job is due every second.
async fn with_tenants(tenants: u64) -> (Base, Database) {
    let base = Base::postgres().await;
    let database = base.open().await;
    let directory = database.directory();
    directory
        .execute_unprepared("CREATE TABLE executions (tenant text, tick bigint, replica text)")
        .await
        .unwrap();
    directory.execute_unprepared("CREATE INDEX ON executions (tenant, tick)").await.unwrap();
    let tenants: Vec<_> = (0..tenants).map(|number| (id(&format!("t{number}")), 1)).collect();
    scheduler(&database).await.tenants_activated(&tenants).await.unwrap();
    (base, database)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_that_are_killed_and_stopped_run_each_tick_once() {
    let (length, tenants) = (number("XCORE_CHAOS_SECONDS", 8), number("XCORE_CHAOS_TENANTS", 100));
    let (base, database) = with_tenants(tenants).await;
    let mut replicas: Vec<_> = (0..3).map(|_| Replica::start(&base.url, false)).collect();
    let deadline = tokio::time::Instant::now() + seconds(length);
    let (mut kills, mut stops) = (0, 0);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64 ^ std::process::id() as u64;
    let mut draw = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    while tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(300 + draw(1_200))).await;
        let chosen = usize::try_from(draw(3)).unwrap();
        if draw(2) == 0 {
            kills += 1;
            replicas[chosen] = Replica::start(&base.url, false);
        } else {
            stops += 1;
            replicas[chosen].signal("STOP");
            // Shorter than the lease, or longer.
            tokio::time::sleep(Duration::from_millis(200 + draw(5_000))).await;
            replicas[chosen].signal("CONT");
        }
    }
    // No further ticks, and what is there comes to its end.
    database.directory().execute_unprepared("UPDATE xcore_jobs SET due = NULL, paused = 1").await.unwrap();
    let open = "SELECT count(*) FROM xcore_runs WHERE state < 2";
    eventually("all runs ended", async || ask(&database, open).await == 0).await;
    drop(replicas);

    let runs = ask(&database, "SELECT count(*) FROM xcore_runs").await;
    let done = ask(&database, "SELECT count(*) FROM xcore_runs WHERE outcome = 'done'").await;
    let ticks = "SELECT CAST(sum((last - first) / 1000 + 1) AS bigint) FROM (
        SELECT min(tick) AS first, max(tick) AS last FROM xcore_runs GROUP BY owner) AS ticks";
    let ticks = ask(&database, ticks).await;
    let owners = ask(&database, "SELECT count(DISTINCT owner) FROM xcore_runs").await;
    let seconds_of_one = ask(&database, "SELECT (max(tick) - min(tick)) / 1000 FROM xcore_runs").await;
    let ran = "SELECT count(*) FROM (SELECT DISTINCT tenant, tick FROM executions) AS ran";
    let (ran, executions) =
        (ask(&database, ran).await, ask(&database, "SELECT count(*) FROM executions").await);
    let losses = ask(&database, "SELECT CAST(sum(losses) AS bigint) FROM xcore_runs").await;
    let too_often = ask(&database, TOO_OFTEN).await;
    let latest = ask(&database, "SELECT max(ended_at - tick) FROM xcore_runs").await;
    let median =
        "SELECT CAST(percentile_disc(0.5) WITHIN GROUP (ORDER BY ended_at - tick) AS bigint) FROM xcore_runs";
    let median = ask(&database, median).await;
    println!(
        "{tenants} tenants, {length} s, {kills} kills, {stops} stops: {ticks} ticks, {runs} runs, {done} done, {executions} executions of {ran} ticks, \
         {losses} leases lost, {too_often} too often; ended {median} ms after the tick (median), {latest} ms (latest)"
    );
    assert!(kills + stops > 1 && seconds_of_one + 2 >= i64::try_from(length).unwrap(), "{seconds_of_one}");
    assert_eq!(owners, i64::try_from(tenants).unwrap());
    assert_eq!((runs, done, ran), (ticks, ticks, ticks), "each tick has one run, which is done");
    assert_eq!(too_often, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_ignore_leases_are_caught() {
    let (base, database) = with_tenants(20).await;
    let _replicas: Vec<_> = (0..3).map(|_| Replica::start(&base.url, true)).collect();
    eventually("a tick ran twice", async || ask(&database, TOO_OFTEN).await > 0).await;
}
