//! A point select through `ctx.db` against the same select through a bare SeaORM connection pool on an identical file.
//!
//! `cargo bench -p xcore-tests --bench db`. The rounds interleave the two.
#![allow(clippy::unwrap_used, reason = "a bench without its databases has nothing to measure")]

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use futures_util::future::join_all;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait, Set};
use tokio::runtime::{Builder, Runtime};
use xcore::db::TenantDb;
use xcore_tests::Rig;
use xcore_tests::plugins::notes::note;

fn main() {
    divan::main();
}

/// How many rows there are.
const ROWS: i32 = 1_000;
/// How many rows a task reads.
const READS: i32 = 64;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

struct Both {
    /// Holds the folder.
    _rig: Rig,
    xcore: TenantDb,
    bare: DatabaseConnection,
}

static BOTH: LazyLock<Both> = LazyLock::new(|| RUNTIME.block_on(both()));

async fn both() -> Both {
    let rig = Rig::start().await;
    let xcore = rig.notes("acme").await.db;
    let notes = (1..=ROWS).map(|id| note::ActiveModel { id: Set(id), text: Set(format!("note {id}")) });
    for chunk in notes.collect::<Vec<_>>().chunks(200) {
        note::Entity::insert_many(chunk.to_vec()).exec_without_returning(&xcore).await.unwrap();
    }
    let (own, copy) = (rig.app().folder().join("tenants/acme.db"), rig.app().folder().join("bare.db"));
    let source = Database::connect(format!("sqlite://{}", own.display())).await.unwrap();
    source.execute_unprepared(&format!("VACUUM INTO '{}'", copy.display())).await.unwrap();
    source.close().await.unwrap();
    let mut options = ConnectOptions::new(format!("sqlite://{}", copy.display()));
    // As many as xcore opens per tenant.
    options.min_connections(4).max_connections(4).sqlx_logging(false);
    let bare = Database::connect(options).await.unwrap();
    bare.execute_unprepared("PRAGMA journal_mode = WAL").await.unwrap();
    Both { _rig: rig, xcore, bare }
}

async fn read<C: ConnectionTrait>(db: &C, first: i32) {
    for offset in 0..READS {
        let id = (first * 31 + offset * 17) % ROWS + 1;
        let note = note::Entity::find_by_id(id).one(db).await.unwrap().unwrap();
        divan::black_box(note);
    }
}

fn measure<C: ConnectionTrait + Clone + Send + 'static>(bencher: Bencher<'_, '_>, db: &C, tasks: i32) {
    bencher.counter(ItemsCount::new((tasks * READS) as usize)).bench_local(|| {
        RUNTIME.block_on(async {
            let spawned = (0..tasks).map(|task| {
                let db = db.clone();
                tokio::spawn(async move { read(&db, task).await })
            });
            for ended in join_all(spawned.collect::<Vec<_>>()).await {
                ended.unwrap();
            }
        });
    });
}

macro_rules! rounds {
    ($($round:ident)*) => { $(
        mod $round {
            use super::*;

            #[divan::bench(args = [1, 16])]
            fn a_bare_sea_orm(bencher: Bencher<'_, '_>, tasks: i32) {
                measure(bencher, &BOTH.bare, tasks);
            }

            #[divan::bench(args = [1, 16])]
            fn b_ctx_db(bencher: Bencher<'_, '_>, tasks: i32) {
                measure(bencher, &BOTH.xcore, tasks);
            }
        }
    )* };
}

rounds! { round_1 round_2 round_3 }
