//! What isolation costs on PostgreSQL: `ctx.db` of many tenants against bare SeaORM on one schema, as ratios of the rates of 16
//! tasks. Each pair of rounds runs both, one after the other; the medians of seven pairs are printed.
//!
//! ```text
//! cargo bench -p xcore-tests --features postgres --bench postgres              # all
//! cargo bench -p xcore-tests --features postgres --bench postgres -- read raw  # lines that hold one of the words
//! cargo bench -p xcore-tests --features postgres --bench postgres -- delay     # 1 ms from the server to the client
//! cargo bench -p xcore-tests --features postgres --bench postgres -- pooler    # both through PgBouncer, in transaction mode
//! ```
//!
//! Behind the pooler the bare side does what works there: each operation is a transaction, and no statement is kept.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

mod delay;
mod load;
mod memory;
mod pooler;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait, Set};
use tower::ServiceExt;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::db::TenantDb;
use xcore::{Instance, TenantId};
use xcore_tests::plugins::notes::{NotesContext, note};
use xcore_tests::{PostgresServer, Rig};

use load::{Spread, Work, one, one_in_transaction, rate};
use pooler::Pooler;

/// As many tenants as there are at most.
const TENANTS: usize = 1_000;
/// How many pairs of rounds count.
const PAIRS: usize = 7;
/// Connections of the bare side, and of ours that work at once.
const ACTIVE: u32 = 16;

/// A line of the table.
#[derive(Clone, Copy)]
struct Line {
    work: Work,
    texts: usize,
    tenants: usize,
    spread: Spread,
}

fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for (work, texts) in
        [(Work::Read, 1), (Work::Read, 30), (Work::Raw, 1), (Work::Insert, 1), (Work::FiveInTransaction, 1)]
    {
        for (tenants, spread) in [
            (1, Spread::Uniform),
            (10, Spread::Uniform),
            (100, Spread::Uniform),
            (1_000, Spread::Uniform),
            (1_000, Spread::Zipf),
        ] {
            lines.push(Line { work, texts, tenants, spread });
        }
    }
    lines
}

impl Line {
    fn name(&self) -> String {
        format!("{} {} texts {} tenants {}", self.work.name(), self.texts, self.tenants, self.spread.name())
    }
}

/// The way to the server.
#[derive(Clone, Copy)]
struct Way {
    port: u16,
    /// Where it answers without the pooler, when there is one.
    direct: Option<u16>,
}

struct Sides {
    /// Holds the pool.
    _app: Instance,
    ours: Arc<Vec<TenantDb>>,
    bare: DatabaseConnection,
    is_pooled: bool,
}

impl Sides {
    async fn open(way: Way, database: &str) -> Self {
        let url = |port: u16, side: &str| {
            format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable&application_name={side}")
        };
        let connections = std::env::var("CONNECTIONS").unwrap_or_else(|_| "64".to_owned());
        let mut builder = Rig::builder()
            .set("services.database.url", url(way.port, "ours"))
            .set("services.database.connections", connections)
            .set("services.database.active_connections", ACTIVE.to_string());
        if let Some(port) = way.direct {
            builder = builder
                .set("services.database.pooler", "transaction")
                .set("services.database.direct_url", url(port, "ours"));
        }
        let app = builder.build().await.unwrap();
        let tenants = stream::iter(0..TENANTS).map(|number| tenant(&app, number));
        let ours = tenants.buffered(4).collect().await;
        let mut address = url(way.port, "bare");
        if let Some(port) = way.direct {
            // No parameter of a connection reaches a session behind the pooler, so the table lies where every path ends.
            let copy = "CREATE TABLE public.notes (LIKE t0.notes INCLUDING ALL); INSERT INTO public.notes SELECT * FROM t0.notes";
            Database::connect(url(port, "bare")).await.unwrap().execute_unprepared(copy).await.unwrap();
            address.push_str("&statement-cache-capacity=0");
        }
        let mut options = ConnectOptions::new(address);
        options.max_connections(ACTIVE).min_connections(ACTIVE).sqlx_logging(false);
        if way.direct.is_none() {
            options.set_schema_search_path("t0");
        }
        let bare = Database::connect(options).await.unwrap();
        Self { _app: app, ours: Arc::new(ours), bare, is_pooled: way.direct.is_some() }
    }

    async fn measure(&self, line: Line) -> (f64, f64) {
        let picks = Arc::new(line.spread.picks(line.tenants));
        let Line { work, texts, .. } = line;
        let bare = || async {
            let (db, is_pooled) = (self.bare.clone(), self.is_pooled);
            rate(move |dice| {
                let db = db.clone();
                async move {
                    match is_pooled {
                        true => one_in_transaction(&db, work, dice as usize % texts).await,
                        false => one(&db, work, dice as usize % texts).await,
                    }
                }
            })
            .await
        };
        let ours = || async {
            let (all, picks) = (Arc::clone(&self.ours), Arc::clone(&picks));
            rate(move |dice| {
                let db = all[picks.pick(dice)].clone();
                async move { one(&db, work, (dice >> 32) as usize % texts).await }
            })
            .await
        };
        // Until the caches of both sides hold what they can: the server plans a statement five times before it keeps the plan.
        bare().await;
        let (begin, mut done) = (Instant::now(), 0.0);
        while done < (line.tenants * texts * 50) as f64 && begin.elapsed() < Duration::from_secs(60) {
            done += ours().await * load::WINDOW.as_secs_f64();
        }
        let (mut ratios, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            let baseline = bare().await;
            ratios.push(ours().await / baseline);
            rates.push(baseline);
        }
        ratios.sort_by(f64::total_cmp);
        rates.sort_by(f64::total_cmp);
        (ratios[PAIRS / 2], rates[PAIRS / 2])
    }
}

/// A tenant with one row.
async fn tenant(app: &Instance, number: usize) -> TenantDb {
    let name = format!("t{number}");
    app.tenants().create(&TenantId::parse(&name).unwrap()).await.unwrap();
    let request = Request::builder().uri("/own/notes-context").header("x-tenant-id", name);
    let Ok(mut response) = app.router().oneshot(request.body(Body::empty()).unwrap()).await;
    let context: NotesContext = response.extensions_mut().remove().unwrap();
    let first = note::ActiveModel { id: Set(-1), text: Set("first".to_owned()) };
    note::Entity::insert(first).exec_without_returning(&context.db).await.unwrap();
    context.db
}

async fn table(way: Way, database: &str, words: &[String]) {
    let sides = Sides::open(way, database).await;
    println!("{:<46} {:>8} {:>12} {:>14}", "", "ratio", "bare /s", "ours MiB/conn");
    for line in lines() {
        let name = line.name();
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let (ratio, baseline) = sides.measure(line).await;
        let memory = memory::of_backends(&sides.bare, "ours").await;
        println!("{name:<46} {ratio:>8.2} {baseline:>12.0} {memory:>14.1}");
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let mut asks = |word: &str| words.iter().position(|one| one == word).map(|at| words.remove(at)).is_some();
    let (delayed, pooled) = (asks("delay"), asks("pooler"));
    let server = PostgresServer::get();
    let database = server.database().await;
    let pooler = pooled.then(|| Pooler::start(server.port(), ACTIVE).unwrap());
    let port = pooler.as_ref().map_or(server.port(), Pooler::port);
    let port = if delayed { delay::proxy(port).await } else { port };
    table(Way { port, direct: pooled.then(|| server.port()) }, &database, &words).await;
}
