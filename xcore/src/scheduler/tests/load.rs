//! What many jobs cost.
//!
//! `XCORE_LOAD_JOBS=100000 XCORE_LOAD_SECONDS=10 XCORE_LOAD_RATE=1000 cargo test --release -p xcore --lib --all-features -- --nocapture
//! many_jobs_cost` prints the figures of docs/performance.md. By default there are few jobs, and the test makes sure that each has its runs.

use super::*;

/// Each tenant has so many of the jobs.
const OF_TENANT: usize = 100;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A field of `/proc/self/stat` behind the name of the program, counted from the state as 0.
fn stat(field: usize) -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = text.rsplit_once(") ").unwrap();
    rest.split(' ').nth(field).unwrap().parse().unwrap()
}

/// Memory of this process, in MiB.
fn resident() -> u64 {
    // Pages of 4 KiB.
    stat(21) * 4 / 1024
}

/// Processor time of this process so far.
fn processor() -> Duration {
    // The kernel counts hundredths of a second.
    Duration::from_millis((stat(11) + stat(12)) * 10)
}

/// How late runs begin, in microseconds, by the id of the job.
#[derive(Default)]
struct Lateness(Mutex<Vec<(String, i64)>>);

impl JobRunner for Arc<Lateness> {
    fn run(&self, run: JobRun) -> BoxFuture<'static, Result<(), JobFailure>> {
        let late = (Utc::now() - run.tick).num_microseconds().unwrap();
        self.0.lock().unwrap().push((run.id, late));
        std::future::ready(Ok(())).boxed()
    }
}

async fn cost(name: &str, scheduler: Scheduler) {
    let jobs = number("XCORE_LOAD_JOBS", 2_000);
    let (length, rate) = (number("XCORE_LOAD_SECONDS", 3), number("XCORE_LOAD_RATE", 50));
    let rules = Rules::default();
    scheduler.register(StaticJob { plugin: "orders", job: "ok", schedule: None, rules });
    for job in 0..OF_TENANT {
        // Each at a minute of its own, and none within the measurement.
        let expression = format!("0 {} {} 1 1 *", job % 60, job / 60 % 24);
        let schedule = Some(Schedule::cron(&expression, "UTC").unwrap());
        let job = Box::leak(format!("job{job}").into_boxed_str());
        scheduler.register(StaticJob { plugin: "orders", job, schedule, rules });
    }
    let tenants: Vec<_> = (0..jobs / OF_TENANT).map(|number| (id(&format!("t{number}")), 1)).collect();
    let (memory, begun) = (resident(), std::time::Instant::now());
    scheduler.tenants_activated(&tenants).await.unwrap();
    let (registered, memory) = (begun.elapsed(), resident().saturating_sub(memory));
    let late = Arc::new(Lateness::default());
    scheduler.start(Arc::new(Arc::clone(&late))).await.unwrap();
    tokio::time::sleep(seconds(1)).await;
    let before = processor();
    tokio::time::sleep(Duration::from_secs(length as u64)).await;
    let idle = (processor() - before).as_secs_f64() / length as f64 * 100.0;

    let often: Vec<_> = (0..rate).map(|number| format!("often{number}")).collect();
    for (number, job) in often.iter().enumerate() {
        let (tenant, life) = tenants[number % tenants.len()];
        scheduler.tenant(&Tenant::admit(tenant, life)).every(job, seconds(1), call("ok")).await.unwrap();
    }
    tokio::time::sleep(seconds(1)).await;
    late.0.lock().unwrap().clear();
    let before = processor();
    tokio::time::sleep(Duration::from_secs(length as u64)).await;
    let busy = (processor() - before).as_secs_f64() / length as f64 * 100.0;
    let seen = || late.0.lock().unwrap().clone();
    let mut sorted: Vec<_> = seen().into_iter().map(|(_, late)| late).collect();
    sorted.sort_unstable();
    let at = |share: f64| {
        sorted.get((sorted.len() as f64 * share) as usize).or(sorted.last()).copied().unwrap_or(-1) as f64
            / 1_000.0
    };
    println!(
        "{name}: {jobs} jobs registered in {registered:.2?}, {memory} MiB, idle {idle:.2}% of a core; {} runs in {length} s of {rate} jobs \
         that are due each second at once: {:.1} ms late (median), {:.1} ms (p99), {:.1} ms (latest), {busy:.1}% of a core",
        sorted.len(),
        at(0.5),
        at(0.99),
        at(1.0),
    );
    eventually("each job ran", async || {
        let seen = seen();
        let ran: std::collections::HashSet<_> = seen.iter().map(|(job, _)| job).collect();
        often.iter().all(|job| ran.contains(job))
    })
    .await;
    scheduler.shutdown(seconds(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_jobs_cost_little_and_none_of_them_is_lost() {
    cost("memory", Scheduler::memory(SchedulerSettings::default()).unwrap()).await;
    for base in stored::Base::all().await {
        let (_database, store) = base.store().await;
        let name = base.url.split(':').next().unwrap().to_owned();
        cost(&name, Scheduler::stored(Arc::new(store), SchedulerSettings::default()).unwrap()).await;
    }
}
