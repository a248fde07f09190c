//! How many tenant databases are open, and who waits for whom.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, TransactionTrait};

use super::{Kitchen, bake, count, eventually, id, waits};
use crate::db::DatabaseError;

/// The files of the kitchen that this process has open, by name.
fn open_names(kitchen: &Kitchen) -> Vec<String> {
    let folder = kitchen.folder.path().canonicalize().unwrap();
    let open = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    open.filter(|path| path.starts_with(&folder))
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect()
}

fn open_tenants(kitchen: &Kitchen) -> HashSet<String> {
    open_names(kitchen).into_iter().filter(|name| name.starts_with('t') && name.ends_with(".db")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_more_than_max_open_tenant_databases_are_open() {
    let kitchen = Arc::new(Kitchen::with(|settings| settings.max_open = 3).await);
    let names: Vec<_> = (0..12).map(|n| format!("t{n}")).collect();
    for name in &names {
        kitchen.tenant(name).await;
    }
    let done = Arc::new(AtomicBool::new(false));
    let watch = {
        let (kitchen, done) = (Arc::clone(&kitchen), Arc::clone(&done));
        std::thread::spawn(move || {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                // A listing is read while files come and go; what three in a row name was open in the second.
                let [first, mut second, third] =
                    [open_tenants(&kitchen), open_tenants(&kitchen), open_tenants(&kitchen)];
                second.retain(|name| first.contains(name) && third.contains(name));
                most = most.max(second.len());
            }
            most
        })
    };
    let tasks = (0..8).map(|task| {
        let (kitchen, names) = (Arc::clone(&kitchen), names.clone());
        tokio::spawn(async move {
            for round in 0..40 {
                let db = kitchen.handle(&names[(task * 7 + round * 5) % names.len()]);
                bake(&db, &format!("{task} {round}")).await;
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    let most = watch.join().unwrap();
    assert!((1..=3).contains(&most), "{most} were open at once");
    assert!(kitchen.sqlite.open_files() <= 3);
    let mut total = 0;
    for name in &names {
        total += count(&kitchen.handle(name)).await;
    }
    assert_eq!(total, 8 * 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_tenants_work_within_few_descriptors() {
    const TENANTS: usize = 2_000;
    let kitchen = Arc::new(
        Kitchen::with(|settings| {
            settings.max_open = 64;
            settings.connections = 1;
            settings.acquire_timeout = Duration::from_secs(60);
        })
        .await,
    );
    let most = Arc::new(AtomicUsize::new(0));
    let tasks = (0..16).map(|task| {
        let (kitchen, most) = (Arc::clone(&kitchen), Arc::clone(&most));
        tokio::spawn(async move {
            for n in (task..TENANTS).step_by(16) {
                let name = format!("t{n}");
                kitchen.database.provision(&id(&name)).await.unwrap();
                let db = kitchen.handle(&name);
                db.execute_unprepared(&format!("CREATE TABLE a (b); INSERT INTO a VALUES ({n})"))
                    .await
                    .unwrap();
                if n % 50 == task {
                    most.fetch_max(open_names(&kitchen).len(), Ordering::Relaxed);
                }
            }
            for n in (task..TENANTS).step_by(16) {
                let statement =
                    sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "SELECT b FROM a");
                let row = kitchen.handle(&format!("t{n}")).query_one_raw(statement).await.unwrap().unwrap();
                assert_eq!(row.try_get::<i64>("", "b").unwrap(), n as i64);
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    // Per tenant its file, its log and its index, and a connection's share of the shared file and log; some for
    // those that are being made.
    let most = most.load(Ordering::Relaxed);
    assert!(most <= 64 * 5 + 40, "{most} descriptors were open");
    assert_eq!(kitchen.database.tenants_on_disk().await.unwrap().len(), TENANTS);
    kitchen.database.close().await;
    assert_eq!(open_names(&kitchen).iter().filter(|name| name.contains(".db")).count(), 0);
}

#[tokio::test]
async fn many_who_open_one_tenant_at_once_share_one_opening() {
    let kitchen = Kitchen::with(|settings| settings.max_open = 1).await;
    kitchen.tenant("acme").await;
    let other = kitchen.tenant("globex").await;
    bake(&other, "pie").await;
    let acme = kitchen.handle("acme");
    let counts = join_all((0..50).map(|_| count(&acme))).await;
    assert_eq!(counts, vec![0; 50]);
    let open = open_names(&kitchen).into_iter().filter(|name| name == "acme.db").count();
    assert!(open <= 4, "{open} connections were made for 50 callers");
}

#[tokio::test]
async fn the_least_recently_used_idle_one_is_closed_and_one_in_use_never() {
    let kitchen = Kitchen::with(|settings| settings.max_open = 2).await;
    let (acme, globex, initech) =
        (kitchen.tenant("acme").await, kitchen.tenant("globex").await, kitchen.tenant("initech").await);
    let held = acme.begin().await.unwrap();
    bake(&held, "pie").await;
    count(&globex).await;
    count(&initech).await;
    let open = open_names(&kitchen);
    assert!(
        open.iter().any(|name| name == "acme.db") && open.iter().any(|name| name == "initech.db"),
        "{open:?}"
    );
    assert!(!open.iter().any(|name| name == "globex.db"), "{open:?}");
    held.commit().await.unwrap();
    assert_eq!(count(&acme).await, 1);
}

#[tokio::test]
async fn when_all_are_in_use_callers_wait_in_order_and_then_get_an_error_to_retry() {
    let kitchen = Kitchen::with(|settings| {
        settings.max_open = 1;
        settings.acquire_timeout = Duration::from_millis(300);
    })
    .await;
    for name in ["acme", "b1", "b2", "b3"] {
        kitchen.tenant(name).await;
    }
    let held = kitchen.handle("acme").begin().await.unwrap();
    let refused = kitchen.handle("b1").execute_unprepared("SELECT 1").await.unwrap_err();
    assert!(
        matches!(DatabaseError::find_in(&refused), Some(DatabaseError::TooManyOpen { max_open: 1, .. })),
        "{refused}"
    );
    assert!(DatabaseError::is_unavailable_in(&refused));

    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for name in ["b1", "b2", "b3"] {
        let (db, order) = (kitchen.handle(name), Arc::clone(&order));
        let mut task = Box::pin(async move {
            count(&db).await;
            order.lock().unwrap().push(name);
        });
        // Joins the line now.
        assert!(waits(&mut task).await);
        waiting.push(tokio::spawn(task));
    }
    held.commit().await.unwrap();
    for task in waiting {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), ["b1", "b2", "b3"]);
    assert_eq!(kitchen.sqlite.open_files(), 1);
}

#[tokio::test]
async fn a_tenant_that_does_not_exist_takes_no_place() {
    let kitchen = Kitchen::with(|settings| settings.max_open = 1).await;
    for n in 0..20 {
        let error = kitchen.handle(&format!("ghost{n}")).execute_unprepared("SELECT 1").await.unwrap_err();
        assert!(matches!(DatabaseError::find_in(&error), Some(DatabaseError::Missing { .. })), "{error}");
    }
    assert_eq!(kitchen.sqlite.open_files(), 0);
}

#[tokio::test]
async fn a_caller_that_gives_up_waiting_leaves_no_trace() {
    let kitchen = Kitchen::with(|settings| settings.max_open = 1).await;
    let acme = kitchen.tenant("acme").await;
    kitchen.tenant("globex").await;
    let held = acme.begin().await.unwrap();
    let globex = kitchen.handle("globex");
    for _ in 0..10 {
        let mut waiting = Box::pin(count(&globex));
        assert!(waits(&mut waiting).await);
    }
    bake(&held, "pie").await;
    held.commit().await.unwrap();
    assert_eq!(count(&globex).await, 0);
    assert_eq!(count(&acme).await, 1);
    eventually("closing", || async { kitchen.sqlite.open_files() == 1 }).await;
}
