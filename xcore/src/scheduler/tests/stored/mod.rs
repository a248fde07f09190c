//! Jobs and runs in a database: SQLite, and a real PostgreSQL server.

use sea_orm::ConnectionTrait;
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tempfile::TempDir;

use super::*;
use crate::db::{Database, DatabaseSettings, Migrations, SharedDb};
use crate::scheduler::backend::SchedulerBackend;
use crate::scheduler::claims::{ClaimId, Claims, Ending, Holder, Report, Round};
use crate::scheduler::database::{AddedColumn, JobTables, RetryColumn, Stored};
use crate::scheduler::job::{JobEntry, JobKey, Owner};
use crate::scheduler::{Keep, QueueTables};

mod history;
mod jobs;
mod killed;
mod limits;
mod moved;
mod outbox;
mod queue;
#[cfg(feature = "postgres")]
mod replicas;
mod restart;
mod runs;

struct Tables;

impl MigratorTrait for Tables {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(JobTables), Box::new(RetryColumn), Box::new(AddedColumn), Box::new(QueueTables)]
    }
}

/// A database with the tables.
pub(super) struct Base {
    pub(super) url: String,
    folder: TempDir,
}

impl Base {
    fn sqlite() -> Self {
        Self { url: "sqlite://data".to_owned(), folder: tempfile::tempdir().unwrap() }
    }

    #[cfg(feature = "postgres")]
    async fn postgres() -> Self {
        Self { url: crate::db::url_of_a_new_database().await, folder: tempfile::tempdir().unwrap() }
    }

    /// Both kinds.
    pub(super) async fn all() -> Vec<Self> {
        vec![
            Self::sqlite(),
            #[cfg(feature = "postgres")]
            Self::postgres().await,
        ]
    }

    async fn open(&self) -> Database {
        let database =
            Database::open(DatabaseSettings::new(&self.url, self.folder.path()).unwrap()).await.unwrap();
        database.migrate_directory(&[Migrations::of::<Tables>("xcore")]).await.unwrap();
        database
    }

    pub(super) async fn store(&self) -> (Database, Stored<SharedDb>) {
        let database = self.open().await;
        let store = Stored::new(database.directory(), Keep::default());
        (database, store)
    }
}

fn owner(text: &str) -> Owner {
    Owner::Tenant(id(text))
}

fn key(tenant: &str, job: &str) -> JobKey {
    JobKey { owner: owner(tenant), id: job.into() }
}

/// A job of `acme` and so on that is due as long ago as its schedule says.
fn job(tenant: &str, job: &str, schedule: Schedule, rules: Rules) -> JobEntry {
    JobEntry {
        key: key(tenant, job),
        call: call("ok"),
        schedule,
        rules,
        declared: false,
        paused: false,
        since: Utc::now(),
    }
}

fn holder(name: &str) -> Holder {
    Holder { name: name.to_owned(), lease: seconds(30) }
}

fn every_second() -> Schedule {
    Schedule::every(seconds(1)).unwrap()
}

/// Moves the jobs so that they were due `seconds` ago.
async fn backdate(database: &Database, seconds: i64) {
    let due = (Utc::now().timestamp() - seconds) * 1_000;
    let text = format!("UPDATE xcore_jobs SET due = {due} WHERE due IS NOT NULL");
    database.directory().execute_unprepared(&text).await.unwrap();
}

/// What was claimed, as `tenant:job`, sorted.
fn names(round: &Round) -> Vec<String> {
    let mut names: Vec<_> = round.runs.iter().map(|run| run.key.to_string()).collect();
    names.sort();
    names
}

fn done(id: ClaimId) -> Report {
    Report { id, ending: Ending::Done }
}
