//! What is there after `kill -9`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

/// Where the process that is killed finds its database and its folder. This program is that process when they are set.
const URL: &str = "XCORE_KILLED_URL";
const FOLDER: &str = "XCORE_KILLED_FOLDER";

/// What it prints when it has done its part.
const READY: &str = "all is stored";

/// A run that began: the job, its tick and how often it had failed.
type Begun = (String, DateTime<Utc>, u32);

/// Writes down runs; `fails` fails.
#[derive(Default)]
struct Notes(Mutex<Vec<Begun>>);

impl JobRunner for Arc<Notes> {
    fn run(&self, run: JobRun) -> BoxFuture<'static, Result<(), JobFailure>> {
        self.0.lock().unwrap().push((run.id, run.tick, run.failures));
        let fails = run.call.job == "fails";
        let outcome = if fails { Err(JobFailure::Failed { source: "it failed".into() }) } else { Ok(()) };
        std::future::ready(outcome).boxed()
    }
}

async fn program(url: &str, folder: &Path) -> (Database, Scheduler, Arc<Notes>) {
    let database = Database::open(DatabaseSettings::new(url, folder).unwrap()).await.unwrap();
    database.migrate_directory(&[Migrations::of::<Tables>("xcore")]).await.unwrap();
    let store = Stored::new(database.directory(), Keep::default());
    let scheduler = Scheduler::stored(Arc::new(store), SchedulerSettings::default()).unwrap();
    for job in ["ok", "fails"] {
        let rules = Rules {
            overlap: Overlap::Allow,
            misfire: Misfire::All(100),
            retries: Retries::new(5, seconds(2)),
            ..Rules::default()
        };
        scheduler.register(StaticJob { plugin: "orders", job, schedule: None, rules });
    }
    scheduler.tenant_activated(&id("acme"), 1).await.unwrap();
    (database, scheduler, Arc::default())
}

fn acme(scheduler: &Scheduler) -> TenantScheduler {
    scheduler.tenant(&Tenant::admit(id("acme"), 1))
}

/// Not a test but what the process does that is killed; the program starts itself with this name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() {
    let (Ok(url), Ok(folder)) = (std::env::var(URL), std::env::var(FOLDER)) else { return };
    let (_database, scheduler, notes) = program(&url, Path::new(&folder)).await;
    let acme = acme(&scheduler);
    acme.every("often", seconds(1), call("ok")).await.unwrap();
    acme.every("rests", seconds(1), call("ok")).await.unwrap();
    acme.pause("rests").await.unwrap();
    acme.after("fails", Duration::ZERO, call("fails")).await.unwrap();
    scheduler.start(Arc::new(Arc::clone(&notes))).await.unwrap();
    let has = async |job: &str| notes.0.lock().unwrap().iter().any(|(id, ..)| id == job);
    eventually("a tick ran, and one run waits for its retry", async || {
        has("often").await && has("fails").await
    })
    .await;
    // So that the reports are written. Nobody says when: they are bundled.
    tokio::time::sleep(Duration::from_millis(500)).await;
    // What waits, for it is later than the end of this process.
    acme.after("soon", seconds(1), call("ok")).await.unwrap();
    println!("{READY}");
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_pauses_retries_and_missed_ticks_survive_kill_9() {
    for base in Base::all().await {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["scheduler::tests::stored::killed::the_process_that_is_killed", "--exact", "--nocapture"])
            .env(URL, &base.url)
            .env(FOLDER, base.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.map_while(Result::ok).any(|line| line.contains(READY)),
            "it ended before it was killed"
        );
        // SIGKILL, as `Child::kill` is.
        child.kill().unwrap();
        child.wait().unwrap();
        let killed = Utc::now();
        tokio::time::sleep(Duration::from_millis(3_200)).await;

        let (_database, scheduler, notes) = program(&base.url, base.folder.path()).await;
        let acme = acme(&scheduler);
        assert!(acme.get("rests").await.unwrap().unwrap().paused);
        assert!(!acme.get("often").await.unwrap().unwrap().paused);
        scheduler.start(Arc::new(Arc::clone(&notes))).await.unwrap();
        let begun = || notes.0.lock().unwrap().clone();
        let of = |job: &str| begun().into_iter().filter(|(id, ..)| id == job).collect::<Vec<_>>();
        eventually("what waited has run", async || !of("soon").is_empty() && !of("fails").is_empty()).await;
        eventually("each missed tick has its run", async || {
            let missed = of("often")
                .iter()
                .filter(|(_, tick, _)| *tick > killed && *tick < killed + TimeDelta::seconds(3))
                .count();
            missed >= 2
        })
        .await;
        assert!(of("rests").is_empty(), "a paused job has no ticks");
        assert!(of("fails")[0].2 >= 1, "the failures before the end of the process count");
        assert_eq!(of("soon").len(), 1);
        let history = acme.history("often").await.unwrap();
        assert!(history.iter().any(|run| run.tick < killed), "what the process did is known");
        scheduler.shutdown(seconds(1)).await;
    }
}
