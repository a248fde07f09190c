//! A process that creates, deletes, restores and purges a few tenants as fast as it can, beside others that do the same.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use xcore::app::TenantError;
use xcore::tenancy::StoreError;
use xcore::{Instance, TenantId};

use crate::App;

/// Asks for it in the environment: `SEED SECONDS`.
pub const VARIABLE: &str = "RIG_CHAOS";

/// How long one operation may take. Another process may be at work on the same name, and a deletion on a server waits for its
/// seconds.
const PATIENCE: Duration = Duration::from_secs(60);

const NAMES: [&str; 3] = ["fickle", "moody", "erratic"];

const OPERATIONS: [&str; 8] =
    ["create", "create", "delete", "restore", "restore", "purge", "suspend", "resume"];

/// What the process is to do.
#[derive(Debug, Clone, Copy)]
pub struct Chaos {
    seed: u64,
    seconds: u64,
}

/// What the environment asks for.
#[must_use]
pub fn wanted() -> Option<Chaos> {
    let wanted = std::env::var(VARIABLE).ok()?;
    let (seed, seconds) = wanted.split_once(' ')?;
    Some(Chaos { seed: seed.parse().ok()?, seconds: seconds.parse().ok()? })
}

impl Chaos {
    /// Does it; fails at the first operation that hangs, or has an outcome that it must not have.
    ///
    /// # Panics
    /// When the app does not start.
    #[must_use]
    #[expect(clippy::print_stdout, reason = "the test that started it reads the counts")]
    pub fn run(self) -> ExitCode {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let done = runtime.block_on(async {
            let app = App::builder().build().await.unwrap();
            // Several at once in this process, too.
            let done: [_; 3] =
                tokio::join!(self.work(&app, 0), self.work(&app, 1), self.work(&app, 2)).into();
            app.shutdown().await;
            done
        });
        let mut counts = BTreeMap::new();
        for worker in done {
            match worker {
                Ok(done) => {
                    done.into_iter().for_each(|(what, times)| *counts.entry(what).or_insert(0) += times)
                }
                Err(problem) => {
                    eprintln!("{problem}");
                    return ExitCode::FAILURE;
                }
            }
        }
        println!("process {}: {counts:?}", self.seed);
        ExitCode::SUCCESS
    }

    async fn work(self, app: &Instance, worker: u64) -> Result<BTreeMap<&'static str, u32>, String> {
        let seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = seed.wrapping_add(worker.wrapping_mul(0x2545_f491_4f6c_dd1d)) | 1;
        let mut pick = |among: usize| {
            // Xorshift.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % among as u64).unwrap()
        };
        let mut done = BTreeMap::new();
        let until = Instant::now() + Duration::from_secs(self.seconds);
        while Instant::now() < until {
            let id = TenantId::parse(NAMES[pick(NAMES.len())]).unwrap();
            let what = OPERATIONS[pick(OPERATIONS.len())];
            let outcome = tokio::time::timeout(PATIENCE, operate(app, what, &id)).await;
            match outcome {
                Err(_late) => return Err(format!("{what} {id} hangs")),
                Ok(Ok(())) => *done.entry(what).or_default() += 1,
                Ok(Err(problem)) if is_of_the_trade(&problem) => *done.entry("refused").or_default() += 1,
                Ok(Err(problem)) => return Err(format!("{what} {id}: {problem:?}")),
            }
        }
        Ok(done)
    }
}

async fn operate(app: &Instance, what: &str, id: &TenantId) -> Result<(), TenantError> {
    let tenants = app.tenants();
    match what {
        "create" => tenants.create(id).await,
        "delete" => tenants.delete(id).await.map(drop),
        "restore" => tenants.restore(id).await,
        "purge" => tenants.purge(id).await,
        "suspend" => tenants.suspend(id, Some("why not")).await,
        _ => tenants.resume(id).await,
    }
}

/// What an operation may say when somebody else was faster.
fn is_of_the_trade(problem: &TenantError) -> bool {
    let TenantError::Directory { source } = problem else { return false };
    matches!(
        source,
        StoreError::Exists { .. }
            | StoreError::NotFound { .. }
            | StoreError::Illegal { .. }
            | StoreError::SoftDeleted { .. }
            | StoreError::NotSoftDeleted { .. }
    )
}
