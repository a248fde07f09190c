//! What the tasks do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QueryFilter, Set,
    Statement, TransactionSession, TransactionTrait,
};
use xcore_tests::plugins::notes::note;

const TASKS: u64 = 16;
pub(crate) const WINDOW: Duration = Duration::from_millis(400);

/// One operation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// An entity by its id.
    Read,
    /// The same as SQL of the user's.
    Raw,
    /// An entity.
    Insert,
    /// Four reads and an insert between `begin` and `commit`.
    FiveInTransaction,
}

impl Work {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Raw => "raw",
            Self::Insert => "insert",
            Self::FiveInTransaction => "transaction",
        }
    }
}

fn new_note() -> note::ActiveModel {
    static TOKEN: AtomicU64 = AtomicU64::new(0);
    let token = TOKEN.fetch_add(1, Ordering::Relaxed);
    note::ActiveModel { text: Set(format!("note {token} of {}", std::process::id())), ..Default::default() }
}

async fn read<C: ConnectionTrait>(db: &C, text: usize) {
    let find = note::Entity::find_by_id(-1);
    // Each number is a text of its own.
    let find = if text == 0 { find } else { find.filter(Expr::cust(format!("{text} = {text}"))) };
    find.one(db).await.unwrap().unwrap();
}

/// The same, never outside of a transaction.
pub(crate) async fn one_in_transaction(db: &DatabaseConnection, work: Work, text: usize) {
    let transaction = db.begin().await.unwrap();
    match work {
        Work::FiveInTransaction => five(&transaction).await,
        other => one(&transaction, other, text).await,
    }
    transaction.commit().await.unwrap();
}

/// Four reads and an insert.
async fn five<C: ConnectionTrait>(db: &C) {
    for _ in 0..4 {
        read(db, 0).await;
    }
    new_note().insert(db).await.unwrap();
}

pub(crate) async fn one<C: ConnectionTrait + TransactionTrait>(db: &C, work: Work, text: usize) {
    match work {
        Work::Read => read(db, text).await,
        Work::Raw => {
            let text = "SELECT id, text FROM notes WHERE id = $1";
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, text, [(-1).into()]);
            db.query_one_raw(statement).await.unwrap().unwrap();
        }
        Work::Insert => drop(new_note().insert(db).await.unwrap()),
        Work::FiveInTransaction => {
            let transaction = db.begin().await.unwrap();
            five(&transaction).await;
            transaction.commit().await.unwrap();
        }
    }
}

/// Operations in a second, by all tasks together. Each operation gets a random number.
pub(crate) async fn rate<F, R>(run: F) -> f64
where
    F: Fn(u64) -> R + Clone + Send + 'static,
    R: Future<Output = ()> + Send,
{
    static SEED: AtomicU64 = AtomicU64::new(1);
    let done = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let tasks = (0..TASKS).map(|_| {
        let (run, done) = (run.clone(), Arc::clone(&done));
        let mut dice = SEED.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        tokio::spawn(async move {
            while begin.elapsed() < WINDOW {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                run(dice).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    done.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64()
}

/// How often each tenant is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spread {
    Uniform,
    /// The n-th tenant n times less often than the first.
    Zipf,
}

impl Spread {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
        }
    }

    pub(crate) fn picks(self, tenants: usize) -> Picks {
        let weight = |at: usize| match self {
            Self::Uniform => 1.0,
            Self::Zipf => 1.0 / (at + 1) as f64,
        };
        let mut sum = 0.0;
        let up_to = (0..tenants)
            .map(|at| {
                sum += weight(at);
                sum
            })
            .collect();
        Picks(up_to)
    }
}

/// Sums of weights.
pub(crate) struct Picks(Vec<f64>);

impl Picks {
    pub(crate) fn pick(&self, dice: u64) -> usize {
        let total = self.0.last().copied().unwrap_or_default();
        let aim = (dice >> 11) as f64 / (1_u64 << 53) as f64 * total;
        self.0.partition_point(|sum| *sum <= aim).min(self.0.len() - 1)
    }
}
