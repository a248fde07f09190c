//! Notices what other processes did to the directory, within a second.

use std::collections::HashMap;
use std::sync::Weak;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use super::TenantError;
use super::instance::Inner;
use crate::plugin::chain;
use crate::tenancy::{StoreError, TenantId, TenantRecord};

/// How often the directory's revision is read.
const INTERVAL: Duration = Duration::from_secs(1);

/// Within this time every process that serves the same data has noticed a change, when it can reach the database.
pub(super) const NOTICED: Duration = Duration::from_secs(2);

/// How coarse the clock of the directory is.
const TICK: Duration = Duration::from_millis(100);

/// How long what could not be finished rests before it is tried again.
const RETRY: Duration = Duration::from_secs(15);

/// Empties the directory's memory within a second of a change by another process. Runs until the app goes away.
///
/// It waits for nothing but that one query: what a change asks for is done by [`follow`].
pub(super) async fn watch(app: Weak<Inner>, changes: tokio::sync::watch::Sender<()>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_reachable = true;
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        match app.runtime.admission.directory.refresh().await {
            Ok(changed) => {
                if !is_reachable {
                    info!("the directory can be read again");
                }
                is_reachable = true;
                if changed {
                    changes.send_replace(());
                }
            }
            // Said once: a database that is away would fill the log otherwise.
            Err(problem) if is_reachable => {
                is_reachable = false;
                warn!(error = %chain(&problem), "the directory cannot be read; known tenants are served from memory");
            }
            Err(_) => {}
        }
    }
}

/// Moves the clock of the directory on. Waits for nothing else. Runs until the app goes away.
pub(super) async fn tick(app: Weak<Inner>) {
    let start = Instant::now();
    let mut ticks = interval(TICK);
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        app.runtime.admission.directory.tick(start.elapsed());
    }
}

/// Gives new tenants their jobs, takes what deleted ones left, and finishes what was begun. Runs until the app goes away.
pub(super) async fn follow(app: Weak<Inner>, mut changes: tokio::sync::watch::Receiver<()>) {
    // The lives that have their jobs.
    let mut entered: HashMap<TenantId, i64> = HashMap::new();
    let mut again: Option<Instant> = None;
    loop {
        let retry = async {
            match again {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = retry => {}
        }
        let Some(app) = app.upgrade() else { return };
        let is_done = match catch_up(&app, &mut entered).await {
            Ok(is_done) => is_done,
            Err(problem) => {
                warn!(error = %chain(&problem), "the directory cannot be read");
                false
            }
        };
        again = (!is_done).then(|| Instant::now() + RETRY);
    }
}

/// Whether nothing is left to do.
async fn catch_up(app: &Inner, entered: &mut HashMap<TenantId, i64>) -> Result<bool, StoreError> {
    let tenants = &app.tenants;
    let directory = &app.runtime.admission.directory;
    let records = directory.store().list().await?;
    let mut is_done = true;
    let keeps_lives = directory.store().is_managed();
    let known = directory.all_living().into_iter().chain(entered.iter().map(|(id, life)| (*id, *life)));
    let gone: HashMap<TenantId, i64> = known
        .filter(|(id, life)| !records.iter().any(|record| record.id == *id && record.life == *life))
        .collect();
    if keeps_lives {
        for id in gone.keys() {
            entered.remove(id);
            if let Err(problem) = tenants.follow_deletion(id).await {
                is_done = false;
                warn!(tenant = %id, error = %chain(&problem), "a deleted tenant has left something behind");
            }
        }
    }
    let unfinished = records.iter().filter(|record| record.state.is_unfinished());
    is_done &= join_all(unfinished.map(|record| tenants.finish(record))).await.into_iter().all(|done| done);
    for record in directory.active().await? {
        if entered.get(&record.id) == Some(&record.life) {
            continue;
        }
        match tenants.enter(&record.id).await {
            Ok(()) => {
                entered.insert(record.id, record.life);
            }
            Err(problem) => {
                is_done = false;
                warn!(tenant = %record.id, error = %chain(&problem), "the tenant has not got its jobs yet");
            }
        }
    }
    Ok(is_done)
}

/// Migrates tenants of servers that could not be reached at the start, each when its server can be. Ends when all are done, or the
/// app goes away.
pub(super) async fn migrate_later(app: Weak<Inner>, mut awaited: Vec<TenantRecord>) {
    while !awaited.is_empty() {
        tokio::time::sleep(INTERVAL).await;
        let Some(app) = app.upgrade() else { return };
        let Some(servers) = &app.runtime.database else { return };
        let (still, ready): (Vec<_>, Vec<_>) =
            awaited.into_iter().partition(|record| servers.is_awaited(record.server.as_deref()));
        awaited = still;
        for record in ready {
            match app.tenants.migrate(&record.id).await {
                Err(TenantError::Data { source, .. }) if source.is_unavailable() => awaited.push(record),
                Ok(_) => info!(tenant = %record.id, "migrated, now that its server can be reached"),
                Err(problem) => {
                    warn!(tenant = %record.id, error = %chain(&problem), "the tenant cannot be migrated and is not served");
                }
            }
        }
    }
}
