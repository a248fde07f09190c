//! Notices what other processes did to the directory, within a second.

use std::sync::Weak;
use std::time::Duration;

use tracing::{error, info, warn};

use super::instance::Inner;
use crate::plugin::chain;
use crate::tenancy::{State, TenantId};

/// How often the directory's revision is read.
const INTERVAL: Duration = Duration::from_secs(1);

/// Runs until the app goes away.
pub(super) async fn watch(app: Weak<Inner>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut is_reachable = true;
    let mut has_unfinished = false;
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        match app.runtime.admission.directory.refresh().await {
            Ok(changed) => {
                if !is_reachable {
                    info!("the directory can be read again");
                }
                is_reachable = true;
                if changed || has_unfinished {
                    has_unfinished = follow(&app).await;
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

/// Gives new tenants their jobs and finishes deletions that the command line began; whether some are left.
async fn follow(app: &Inner) -> bool {
    let records = match app.tenants.list().await {
        Ok(records) => records,
        Err(problem) => {
            warn!(error = %chain(&problem), "the directory cannot be read");
            return true;
        }
    };
    let mut is_unfinished = false;
    let mut active: Vec<TenantId> = Vec::new();
    for record in records {
        match record.state {
            State::Active => active.push(record.id),
            // Another process is at it, or was killed: the next start finishes it.
            State::Provisioning => {}
            State::Deleting => match app.tenants.finish_deleting(&record.id).await {
                Ok(()) => info!(tenant = %record.id, "deleted"),
                Err(problem) => {
                    is_unfinished = true;
                    error!(tenant = %record.id, error = %chain(&problem), "the tenant cannot be deleted yet");
                }
            },
        }
    }
    if let Some(scheduler) = &app.runtime.scheduler {
        for id in &active {
            if let Err(problem) = scheduler.tenant_activated(id).await {
                is_unfinished = true;
                warn!(tenant = %id, error = %chain(&problem), "the tenant has not got its jobs yet");
            }
        }
    }
    is_unfinished
}
