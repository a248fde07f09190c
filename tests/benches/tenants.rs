//! What it takes to make and to migrate many tenants, on PostgreSQL and on SQLite: tenants with ten tables each made from the template against
//! the same made by their migrations, one after the other; sign-ups with spare tenants; and `migrate` over tenants that are up to date, as a program.
//!
//! ```text
//! cargo bench -p xcore-tests --features postgres --bench tenants                 # all
//! cargo bench -p xcore-tests --features postgres --bench tenants -- postgres 50  # one of postgres, sqlite, spares, migrate; so many tenants
//! ```
//!
//! For the migrations, the last of them runs without a transaction, so that there is no template.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use tempfile::TempDir;
use xcore::{Instance, TenantId};
use xcore_tests::plugins::tables;
use xcore_tests::{PostgresServer, Program, Rig};

/// How many tenants are made each way, when no number is given.
const TENANTS: usize = 200;

/// How many tables each of them has beside its notes and tags.
const TABLES: usize = 10;

/// How many tenants are up to date.
const FLEET: usize = 1_000;

/// An app on a database of its own.
async fn app(url: &str) -> Instance {
    Rig::builder().set("services.database.url", url).build().await.unwrap()
}

fn id(number: usize) -> TenantId {
    TenantId::parse(&format!("t{number}")).unwrap()
}

/// How long each tenant takes. The first ones are made before, the template with them.
async fn create(url: &str, tenants: usize) -> Duration {
    let app = app(url).await;
    for number in 0..2 {
        app.tenants().create(&id(number)).await.unwrap();
    }
    let begun = Instant::now();
    for number in 2..tenants + 2 {
        app.tenants().create(&id(number)).await.unwrap();
    }
    let each = begun.elapsed() / u32::try_from(tenants).unwrap();
    app.shutdown().await;
    each
}

async fn compare(what: &str, urls: [&str; 2], tenants: usize) {
    tables::MORE.store(TABLES, Ordering::Relaxed);
    tables::WITHOUT_TEMPLATE.store(true, Ordering::Relaxed);
    let by_migrations = create(urls[0], tenants).await;
    tables::WITHOUT_TEMPLATE.store(false, Ordering::Relaxed);
    let from_template = create(urls[1], tenants).await;
    tables::MORE.store(0, Ordering::Relaxed);
    let ratio = by_migrations.as_secs_f64() / from_template.as_secs_f64();
    println!(
        "{what:<11} {tenants} tenants x {TABLES} tables: migrations {by_migrations:>8.1?} each, template {from_template:>8.1?} each, {ratio:.1} times"
    );
}

/// Sign-ups of an app that keeps spare tenants and of one that has the template alone, in turns. The first one goes on making spares meanwhile.
async fn sign_up(what: &str, urls: [&str; 2], tenants: usize) {
    tables::MORE.store(TABLES, Ordering::Relaxed);
    let spares = tenants.min(1_000);
    let with =
        Rig::builder().set("services.database.url", urls[0]).set("tenancy.spare_tenants", spares.to_string());
    let apps = [with.build().await.unwrap(), app(urls[1]).await];
    for number in 0..2 {
        apps[1].tenants().create(&id(number)).await.unwrap();
    }
    while apps[0].tenants().spare_count().await.unwrap() < spares {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut times = [Vec::new(), Vec::new()];
    for number in 2..tenants + 2 {
        for (app, times) in apps.iter().zip(&mut times) {
            let begun = Instant::now();
            app.tenants().create(&id(number)).await.unwrap();
            times.push(begun.elapsed());
        }
    }
    tables::MORE.store(0, Ordering::Relaxed);
    times.iter_mut().for_each(|times| times.sort_unstable());
    let [with, without] = times.map(|times| (times[times.len() / 2], times[times.len() * 99 / 100]));
    println!(
        "{what:<11} {tenants} sign-ups x {TABLES} tables: with a spare {:>8.1?} (p99 {:.1?}), from the template {:>8.1?} (p99 {:.1?}), {:.1} times",
        with.0,
        with.1,
        without.0,
        without.1,
        without.0.as_secs_f64() / with.0.as_secs_f64()
    );
    for app in apps {
        app.shutdown().await;
    }
}

async fn up_to_date() {
    let url = format!("{}?sslmode=disable", PostgresServer::get().url().await);
    let app = app(&url).await;
    let tenants = stream::iter(0..FLEET).map(async |number| app.tenants().create(&id(number)).await);
    let begun = Instant::now();
    tenants.buffer_unordered(8).try_collect::<Vec<()>>().await.unwrap();
    println!("PostgreSQL  {FLEET} tenants created in {:.1?}, 8 at once", begun.elapsed());
    app.shutdown().await;
    let rig = concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml");
    let program = Program::new(env!("CARGO_BIN_EXE_rig"), rig).set("services.database.url", url);
    for arguments in [&["migrate"][..], &["migrate", "--dry-run"], &["migrate", "status"], &["check"]] {
        let mut times = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            program.succeed(arguments);
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        println!(
            "PostgreSQL  {FLEET} tenants up to date: `{}` {:.0?}, of five runs from {:.0?} to {:.0?}",
            arguments.join(" "),
            times[2],
            times[0],
            times[4]
        );
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let tenants = words.iter().find_map(|word| word.parse().ok()).unwrap_or(TENANTS);
    let is_wanted =
        |name: &str| words.iter().all(|word| word.parse::<usize>().is_ok() || name.contains(word.as_str()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if is_wanted("postgres") {
            let server = PostgresServer::get();
            compare("PostgreSQL", [&server.url().await, &server.url().await], tenants).await;
        }
        if is_wanted("sqlite") {
            let folders: [TempDir; 2] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
            let urls =
                folders.each_ref().map(|folder| format!("sqlite://{}", folder.path().join("data").display()));
            compare("SQLite", [&urls[0], &urls[1]], tenants).await;
        }
        if is_wanted("spares") {
            let server = PostgresServer::get();
            sign_up("PostgreSQL", [&server.url().await, &server.url().await], tenants).await;
            let folders: [TempDir; 2] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
            let urls =
                folders.each_ref().map(|folder| format!("sqlite://{}", folder.path().join("data").display()));
            sign_up("SQLite", [&urls[0], &urls[1]], tenants).await;
        }
        if is_wanted("migrate") {
            up_to_date().await;
        }
    });
}
