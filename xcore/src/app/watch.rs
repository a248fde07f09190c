//! Notices what other processes did to the directory, within a second.

use std::collections::HashMap;
use std::sync::Weak;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use super::TenantError;
use super::instance::Inner;
use crate::plugin::chain;
use crate::tenancy::{State, StoreError, Survey, TenantId, TenantRecord};

/// How often the directory's revision is read, so that a change is seen within a second.
const INTERVAL: Duration = Duration::from_millis(500);

/// How long the watch rests after a look, so that a thousand changes in a row are not a thousand looks, each of which makes what is
/// remembered doubtful.
const CALM: Duration = Duration::from_millis(50);

/// Within this time every process that serves the same data has noticed a change, when it can reach the database.
pub(super) const NOTICED: Duration = Duration::from_secs(2);

/// How coarse the clock of the directory is.
const TICK: Duration = Duration::from_millis(100);

/// How long what could not be finished rests before it is tried again.
const RETRY: Duration = Duration::from_secs(15);

/// How long a creation that failed rests, at first and at last.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LAST_RETRY: Duration = Duration::from_secs(15 * 60);

/// How long the end of a soft deletion is slept towards at once, should the clock of the machine be moved.
const NAP: Duration = Duration::from_secs(5 * 60);

/// Doubts the directory's memory within a second of a change by another process, and at once where the database tells of it. Runs
/// until the app goes away.
///
/// It waits for nothing but that one query: what a change asks for is done by [`follow`].
pub(super) async fn watch(
    app: Weak<Inner>,
    mut notices: Option<BoxStream<'static, ()>>,
    changes: tokio::sync::watch::Sender<()>,
) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_reachable = true;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = noticed(&mut notices) => {
                // Of many at once one is enough.
                while noticed(&mut notices).now_or_never().is_some() {}
            }
        }
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
        drop(app);
        tokio::time::sleep(CALM).await;
    }
}

/// Ready when somebody else says that there is something to see.
async fn noticed(notices: &mut Option<BoxStream<'static, ()>>) {
    match notices {
        Some(notices) => match notices.next().await {
            Some(()) => {}
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
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
    let mut tries = Tries::default();
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
        again = match catch_up(&app, &mut tries).await {
            Ok(true) => tries.next(),
            Ok(false) => Some(Instant::now() + RETRY),
            Err(problem) => {
                warn!(error = %chain(&problem), "the directory cannot be read");
                Some(Instant::now() + RETRY)
            }
        };
    }
}

/// When something is to be done although nothing was changed.
#[derive(Default)]
struct Tries {
    /// Creations that failed, and when they are tried again: one that cannot succeed costs less and less.
    failed: HashMap<(TenantId, i64), (Instant, Duration)>,
    /// When the time of a soft-deleted tenant is over, or is looked at again.
    deletion: Option<Instant>,
}

impl Tries {
    /// Whether it is time. One that is seen for the first time was tried a moment ago.
    fn is_due(&mut self, record: &TenantRecord) -> bool {
        let first = || (Instant::now() + FIRST_RETRY, FIRST_RETRY);
        self.failed.entry((record.id, record.life)).or_insert_with(first).0 <= Instant::now()
    }

    fn has_failed(&mut self, record: &TenantRecord) {
        if let Some((at, pause)) = self.failed.get_mut(&(record.id, record.life)) {
            *pause = (*pause * 2).min(LAST_RETRY);
            *at = Instant::now() + *pause;
        }
    }

    fn keep(&mut self, records: &[TenantRecord]) {
        let left = records.iter().filter_map(TenantRecord::left_to_restore).filter(|left| !left.is_zero());
        self.deletion = left.min().map(|left| Instant::now() + left.min(NAP));
        self.failed.retain(|(id, life), _| {
            let is_it = |record: &TenantRecord| record.id == *id && record.life == *life;
            records.iter().any(|record| is_it(record) && record.state == State::Failed)
        });
    }

    fn next(&self) -> Option<Instant> {
        self.failed.values().map(|(at, _)| *at).chain(self.deletion).min()
    }
}

/// Whether nothing is left to do, apart from creations that failed.
async fn catch_up(app: &Inner, tries: &mut Tries) -> Result<bool, StoreError> {
    let tenants = &app.tenants;
    let directory = &app.runtime.admission.directory;
    let entered: Vec<_> = tenants.entered().iter().map(|(id, (life, _))| (*id, *life)).collect();
    let Survey { records, ended } = directory.survey_of(entered).await?;
    let mut is_done = true;
    if directory.store().is_managed() {
        for (id, life) in &ended {
            if let Err(problem) = tenants.follow_deletion(id, *life).await {
                is_done = false;
                warn!(tenant = %id, error = %chain(&problem), "a deleted tenant has left something behind");
            }
        }
    }
    // First: what is finished below may take as long as a hook may.
    is_done &= follow_states(app, &records).await;
    tries.keep(&records);
    let unfinished = records.iter().filter(|record| match record.state {
        State::Failed => tries.is_due(record),
        State::SoftDeleted => record.is_overdue(),
        state => state.is_unfinished(),
    });
    let tried = join_all(unfinished.map(async |record| (record, tenants.finish(record).await))).await;
    for (record, _) in tried.iter().filter(|(_, is_done)| !is_done) {
        if record.state == State::Failed {
            tries.has_failed(record);
        } else {
            is_done = false;
        }
    }
    if !tried.is_empty() {
        is_done &= follow_states(app, &directory.survey().await?).await;
    }
    Ok(is_done)
}

/// Lets the jobs of active tenants run and those of suspended ones rest; `false` when some could not follow.
async fn follow_states(app: &Inner, records: &[TenantRecord]) -> bool {
    let tenants = &app.tenants;
    let entered = tenants.entered().clone();
    let mut is_done = true;
    for record in records {
        if entered.get(&record.id) == Some(&(record.life, record.state)) {
            continue;
        }
        let followed = match record.state {
            State::Active if app.runtime.admission.directory.is_served(record) => {
                tenants.enter(&record.id).await
            }
            State::Suspended | State::SoftDeleted => tenants.rest(&record.id).await.map(drop),
            _ => continue,
        };
        if let Err(problem) = followed {
            is_done = false;
            warn!(tenant = %record.id, error = %chain(&problem), "the jobs of the tenant have not followed its state yet");
        }
    }
    is_done
}

/// Undoes imports and clones that were cut off, of which whoever began them has gone away. It waits for those that are under way, so
/// it is apart from [`follow`]. Runs until the app goes away.
pub(super) async fn undo_imports(app: Weak<Inner>, mut changes: tokio::sync::watch::Receiver<()>) {
    loop {
        let Some(inner) = app.upgrade() else { return };
        let is_done = inner.tenants.undo_imports().await;
        drop(inner);
        let retry =
            async { if is_done { std::future::pending().await } else { tokio::time::sleep(RETRY).await } };
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = retry => {}
        }
    }
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
