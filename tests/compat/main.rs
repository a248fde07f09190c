//! Every operation of SeaORM that takes a connection, run on a tenant's handle and on SeaORM alone, with equal results.
//!
//! Each operation is written once, for any [`Handle`](stage::Handle), and leaves a step in a [`Trace`](trace::Trace): the
//! rows in their order, the rows affected, the last ids, or the error with its kind and its words. The traces of
//! `ctx.db` and of `DatabaseConnection` are compared step by step, on a first and on a warm pass over the same handle, in a
//! pinned session and, as far as nothing fails there, in a transaction. A second tenant with the same tables stays as it
//! was.
//!
//! # Operations that take no such handle
//! SeaORM has them for its own connections only, so `ctx.db` has none of them:
//!
//! | operation | takes | instead |
//! |---|---|---|
//! | `get_schema_builder` | is a method of `DatabaseConnection` and `DatabaseExecutor` | `Schema::new(backend).builder()` |
//! | `MigratorTrait::{up, down, fresh, refresh, reset, uninstall}`, `SchemaManager::new` | `IntoSchemaManagerConnection` | a plugin's `migrations` |
//! | `ping`, `close`, `get_*_connection_pool`, `set_metric_callback` | are methods of `DatabaseConnection` | nothing: the pool is not the tenant's |
//! | `into_transaction_log`, `as_mock_connection`, the proxy | are methods of `DatabaseConnection` | nothing |
//! | `RestrictedConnection`, `load_rbac` | are made of a `DatabaseConnection` | nothing |
//! | `DatabaseExecutor` | borrows a `DatabaseConnection` or `DatabaseTransaction` | a function that is generic over `ConnectionTrait` |
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod backend;
mod change;
mod errors;
mod find;
mod insert;
mod loading;
mod migrations;
mod models;
mod pages;
mod raw;
mod related;
mod rows;
mod save;
mod stage;
mod streams;
mod sync;
mod tables;
mod trace;
mod transactions;
mod types;
mod values;

use std::time::Duration;

use sea_orm::TransactionTrait;
use stage::{Handle, Stage};
use trace::{Known, Trace};

const NO_CONNECTION: &str =
    "ERROR ConnectionAcquire / None / Failed to acquire connection from pool: Connection pool timed out";

/// What differs on SQLite: SeaORM has one connection where an app has several per tenant; it does not keep to
/// `AccessMode::ReadOnly`; and SQL that begins with no word that SQLite knows is refused before SQLite sees it, as another
/// kind of error.
const SQLITE: [Known; 4] = [
    Known {
        step: "transactions/read outside",
        bare: NO_CONNECTION,
        xcore: r#"["drink", "water", "code", "unused"]"#,
    },
    Known {
        step: "streams/a query meanwhile",
        bare: NO_CONNECTION,
        xcore: r#"Some(Model { id: 2, label: "water" })"#,
    },
    Known {
        step: "transactions/read only, insert",
        bare: r#"Model { id: 14, label: "never" }"#,
        xcore: "ERROR Query / None / Query Error: error returned from database: \
                (code: 8) attempt to write a readonly database",
    },
    Known {
        step: "errors/syntax",
        bare: r#"ERROR Query / None / Query Error: error returned from database: (code: 1) near "SELEC": syntax error"#,
        xcore: "ERROR Conn / None / Connection Error: error communicating with database: \
                this SQL was refused: it begins with something that is no known statement",
    },
];

/// What differs on PostgreSQL: a transaction that has failed cannot be committed. The server rolls it back, which SeaORM
/// tells as a success.
#[cfg(feature = "postgres")]
const POSTGRES: [Known; 1] = [Known {
    step: "transactions/commit after the bad one",
    bare: "()",
    xcore: "ERROR Query / None / Query Error: error returned from database: \
            current transaction is aborted, commands ignored until end of transaction block",
}];

/// Some groups of operations. The rows are the same before each of them.
macro_rules! groups {
    ($db:expr => $($group:ident)*) => {{
        let mut trace = Trace::default();
        $(
            rows::reset($db, "ours").await.unwrap();
            $group::run($db, &mut trace).await;
        )*
        trace
    }};
}

/// Every operation once.
async fn pass<C: Handle>(db: &C) -> Trace {
    groups!(db => backend find models related loading pages insert change save errors transactions streams raw values)
}

/// Those that one connection can do.
async fn pinned<C: Handle>(db: &C) -> Trace {
    groups!(db => backend find models related loading pages insert change save errors raw values)
}

/// Those of which none fails, so that a transaction lives through them.
async fn inside<C: Handle>(db: &C) -> Trace {
    groups!(db => find loading pages)
}

/// The traces of both, on a first and a warm pass.
async fn compare(stage: Stage, known: &[Known]) {
    rows::create(&stage.bare).await.unwrap();
    rows::create(&stage.tenant).await.unwrap();
    rows::create(&stage.other).await.unwrap();
    rows::reset(&stage.other, "theirs").await.unwrap();
    let before = rows::dump(&stage.other).await.unwrap();

    let mut differences = Vec::new();
    let mut first: Option<Trace> = None;
    for number in ["first", "warm"] {
        let (bare, xcore) = (pass(&stage.bare).await, pass(&stage.tenant).await);
        let found = bare.differences(&xcore, known);
        differences.extend(found.into_iter().map(|text| format!("{number} pass: {text}")));
        if let Some(first) = &first {
            let found = first.differences(&xcore, known);
            differences.extend(found.into_iter().map(|text| format!("first pass to warm pass: {text}")));
        }
        first.get_or_insert(bare);
    }
    let session = stage.tenant.session().await.unwrap();
    let (bare, xcore) = (pinned(&stage.bare).await, pinned(&session).await);
    drop(session);
    differences
        .extend(bare.differences(&xcore, known).into_iter().map(|text| format!("pinned session: {text}")));
    let (one, two) = (stage.bare.begin().await.unwrap(), stage.tenant.begin().await.unwrap());
    let (bare, xcore) = (inside(&one).await, inside(&two).await);
    differences
        .extend(bare.differences(&xcore, known).into_iter().map(|text| format!("in a transaction: {text}")));
    one.rollback().await.unwrap();
    two.rollback().await.unwrap();

    let steps = first.map_or(0, |trace| trace.steps.len());
    assert!(
        differences.is_empty(),
        "{} of {steps} steps differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert_eq!(rows::dump(&stage.other).await.unwrap(), before, "the other tenant's rows");
    assert!(steps > 450, "only {steps} steps were compared");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_differ_are_noticed() {
    let stage = Stage::sqlite().await;
    let (mut bare, mut xcore) = (Trace::default(), Trace::default());
    rows::create(&stage.bare).await.unwrap();
    rows::create(&stage.tenant).await.unwrap();
    rows::reset(&stage.bare, "ours").await.unwrap();
    rows::reset(&stage.tenant, "theirs").await.unwrap();
    find::run(&stage.bare, &mut bare).await;
    find::run(&stage.tenant, &mut xcore).await;
    related::run(&stage.bare, &mut bare).await;
    related::run(&stage.tenant, &mut xcore).await;
    let found = bare.differences(&xcore, &[]);
    for step in ["find/all", "find/one", "related/find_also_related"] {
        assert!(found.iter().any(|text| text.starts_with(&format!("{step}\n"))), "{step}: {found:?}");
    }
    stage.end().await;
}

/// The tables of a plugin's migrator, made by the app and by SeaORM.
async fn compare_migrations(stage: Stage) {
    let (bare, xcore) = migrations::both(&stage.bare, &stage.tenant).await;
    assert_eq!(bare, xcore);
    stage.end().await;
}

/// Tables that are made and grown by their entities, through every kind of handle.
async fn compare_sync(stage: Stage) {
    let mut differences = Vec::new();
    for _ in ["first", "warm"] {
        differences.extend(sync::run(&stage.bare).await.differences(&sync::run(&stage.tenant).await, &[]));
    }
    let session = stage.tenant.session().await.unwrap();
    differences.extend(sync::run(&stage.bare).await.differences(&sync::run(&session).await, &[]));
    drop(session);
    let (one, two) = (stage.bare.begin().await.unwrap(), stage.tenant.begin().await.unwrap());
    differences.extend(sync::run(&one).await.differences(&sync::run(&two).await, &[]));
    one.commit().await.unwrap();
    two.commit().await.unwrap();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    stage.end().await;
}

async fn within_a_minute(work: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(60), work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_on_sqlite_gives_what_seaorm_alone_gives() {
    within_a_minute(compare(Stage::sqlite().await, &SQLITE)).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_on_postgresql_gives_what_seaorm_alone_gives() {
    within_a_minute(compare(Stage::postgres().await, &POSTGRES)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migrator_on_sqlite_makes_the_tables_that_seaorm_alone_makes() {
    within_a_minute(compare_migrations(Stage::sqlite().await)).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migrator_on_postgresql_makes_the_tables_that_seaorm_alone_makes() {
    within_a_minute(compare_migrations(Stage::postgres().await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_sync_on_sqlite_does_what_seaorm_alone_does() {
    within_a_minute(compare_sync(Stage::sqlite().await)).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_sync_on_postgresql_does_what_seaorm_alone_does() {
    within_a_minute(compare_sync(Stage::postgres().await)).await;
}
