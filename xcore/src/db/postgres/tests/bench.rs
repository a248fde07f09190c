//! How fast isolation is, as ratios to bare SeaORM without isolation, measured in turns in one run.
//!
//! `cargo test --release -p xcore --lib --features postgres -- --ignored --nocapture ratios_to_bare_sea_orm`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{
    ActiveModelTrait, ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, Statement,
    TransactionSession, TransactionTrait,
};

use super::{Kitchen, Server, cake, new};

const TASKS: u64 = 16;
const WINDOW: Duration = Duration::from_millis(500);
const ROUNDS: usize = 5;

#[derive(Debug, Clone, Copy)]
enum Work {
    Read,
    Raw,
    Insert,
    FiveInTransaction,
}

static TOKEN: AtomicU64 = AtomicU64::new(0);

async fn one<C: ConnectionTrait + TransactionTrait>(db: &C, work: Work) {
    let token = || format!("n{}", TOKEN.fetch_add(1, Ordering::Relaxed));
    match work {
        Work::Read => drop(cake::Entity::find_by_id(1).one(db).await.unwrap().unwrap()),
        Work::Raw => {
            let text = "SELECT id, name, price FROM cake WHERE id = $1";
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, text, [1.into()]);
            drop(db.query_one_raw(statement).await.unwrap().unwrap());
        }
        Work::Insert => drop(new(&token()).insert(db).await.unwrap()),
        Work::FiveInTransaction => {
            let transaction = db.begin().await.unwrap();
            for _ in 0..4 {
                cake::Entity::find_by_id(1).one(&transaction).await.unwrap();
            }
            new(&token()).insert(&transaction).await.unwrap();
            transaction.commit().await.unwrap();
        }
    }
}

/// Operations in a second, by so many tasks at once.
async fn rate<F, R>(run: F) -> f64
where
    F: Fn(u64) -> R + Clone + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let done = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let tasks = (0..TASKS).map(|task| {
        let (run, done) = (run.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut dice = task.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
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

async fn ratio(kitchen: &Arc<Kitchen>, bare: &DatabaseConnection, tenants: u64, work: Work) -> (f64, f64) {
    let mut ratios = Vec::new();
    let mut rates = Vec::new();
    let handles: Arc<Vec<_>> = Arc::new((0..tenants).map(|n| kitchen.handle(&format!("t{n}"))).collect());
    for round in 0..=ROUNDS {
        let connection = bare.clone();
        let baseline = rate(move |_| {
            let connection = connection.clone();
            async move { one(&connection, work).await }
        })
        .await;
        let handles = Arc::clone(&handles);
        let ours = rate(move |dice| {
            let db = handles[(dice % tenants) as usize].clone();
            async move { one(&db, work).await }
        })
        .await;
        // The first round warms up.
        if round > 0 {
            ratios.push(ours / baseline);
            rates.push(baseline);
        }
    }
    ratios.sort_by(f64::total_cmp);
    rates.sort_by(f64::total_cmp);
    (ratios[ROUNDS / 2], rates[ROUNDS / 2])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn ratios_to_bare_sea_orm() {
    let kitchen = Arc::new(
        Kitchen::with(|settings| {
            settings.connections = 16;
        })
        .await,
    );
    for from in (0..1000).step_by(100) {
        kitchen
            .sql(&format!(
                "DO $$ BEGIN FOR n IN {from}..{} LOOP EXECUTE format('CREATE SCHEMA t%s; COMMENT ON SCHEMA t%s IS ''a tenant of xcore''; \
                 CREATE TABLE t%s.cake (id serial PRIMARY KEY, name text NOT NULL UNIQUE, price integer NOT NULL); \
                 INSERT INTO t%s.cake (name, price) VALUES (''first'', 1)', n, n, n, n); END LOOP; END $$",
                from + 99
            ))
            .await;
    }
    let mut options = ConnectOptions::new(Server::get().url(&kitchen.name));
    options.max_connections(16).min_connections(16).set_schema_search_path("t0").sqlx_logging(false);
    let bare = sea_orm::Database::connect(options).await.unwrap();
    for work in [Work::Read, Work::Raw, Work::Insert, Work::FiveInTransaction] {
        for tenants in [1, 10, 100, 1000] {
            let (ratio, baseline) = ratio(&kitchen, &bare, tenants, work).await;
            eprintln!("{work:?} {tenants} tenants: {ratio:.2} (bare {baseline:.0}/s)");
        }
    }
}
