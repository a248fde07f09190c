//! Keeps spare tenants ready (`tenancy.spare_tenants`).

use std::sync::Weak;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::Tenants;
use super::instance::Inner;
use crate::db::{Database, DatabaseError, Tended};
use crate::faults::{Step, reached};
use crate::plugin::chain;
use crate::tenancy::TenantId;

/// How often it is looked whether there are enough, when none was taken by this process.
const EVERY: Duration = Duration::from_secs(10);

/// How long it rests after a failure, at first and at last.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LAST_RETRY: Duration = Duration::from_secs(15 * 60);

/// It works for at most half of the time, and rests for at most so long between two steps.
const LONGEST_REST: Duration = Duration::from_secs(2);

impl Tenants {
    /// One step on each server; whether anything was done.
    async fn tend_spares(&self) -> Result<bool, DatabaseError> {
        let mut has_worked = false;
        for database in self.databases().into_iter().flat_map(crate::db::Servers::open_databases) {
            match database.tend_spares(self.spare_tenants, &self.migrations).await? {
                Tended::Made | Tended::Dropped => has_worked = true,
                Tended::Enough | Tended::Busy => {}
                Tended::Impossible => {
                    self.said_impossible.call_once(|| {
                        info!(
                            "no template makes a tenant of this app at once, so there are no spare tenants"
                        );
                    });
                }
            }
        }
        Ok(has_worked)
    }

    /// Makes a tenant's data of a spare one, if one is left. Without one it takes longer, and nothing else.
    pub(super) async fn take_spare(&self, id: &TenantId, database: &Database) -> bool {
        if self.spare_tenants == 0 {
            return false;
        }
        let taken = database.take_spare(id, &self.migrations).await;
        if matches!(taken, Ok(true)) {
            reached(Step::SpareTaken);
        }
        self.spare_taken.notify_one();
        taken.unwrap_or_else(|problem| {
            warn!(tenant = %id, error = %chain(&problem), "no spare tenant can be taken; the tenant is made without");
            false
        })
    }

    /// How many spare tenants there are ready on all servers that can be reached.
    ///
    /// # Errors
    /// When a database cannot be asked.
    pub async fn spare_count(&self) -> Result<usize, DatabaseError> {
        let mut ready = 0;
        for database in self.databases().into_iter().flat_map(crate::db::Servers::open_databases) {
            ready += database.spares(&self.migrations).await?;
        }
        Ok(ready)
    }
}

/// Makes spare tenants and drops those that are too many or old. Runs until the app goes away; where none are wanted, until none is
/// left.
pub(super) async fn keep(app: Weak<Inner>) {
    let mut retry = FIRST_RETRY;
    loop {
        let Some(app) = app.upgrade() else { return };
        let begun = Instant::now();
        match app.tenants.tend_spares().await {
            Ok(true) => {
                retry = FIRST_RETRY;
                let rest = begun.elapsed().min(LONGEST_REST);
                drop(app);
                tokio::time::sleep(rest).await;
            }
            Ok(false) if app.tenants.spare_tenants == 0 => return,
            Ok(false) => {
                retry = FIRST_RETRY;
                let taken = std::sync::Arc::clone(&app.tenants.spare_taken);
                drop(app);
                // The one or the other.
                let _ = tokio::time::timeout(EVERY, taken.notified()).await;
            }
            Err(problem) => {
                warn!(error = %chain(&problem), again_in = ?retry, "spare tenants cannot be made ready");
                drop(app);
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(LAST_RETRY);
            }
        }
    }
}
