//! Brings work from outboxes into line.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use sea_orm::Value;
use tokio::time::{Instant, timeout};

use super::Outbox;
use crate::scheduler::SchedulerError;
use crate::tenancy::{Tenant, TenantId};

/// How often servers are looked at for what another process has left. What this one commits is brought at once.
const LOOK: Duration = Duration::from_secs(2);

/// How often files are that are marked.
const SWEEP: Duration = Duration::from_secs(30);

/// How many files at once.
const FILES: usize = 8;

/// Admits tenants.
pub(crate) trait Admit: Send + Sync {
    /// What is with a tenant now.
    fn admit(&self, id: TenantId) -> BoxFuture<'_, Admitted>;
}

/// What is with a tenant.
pub(crate) enum Admitted {
    Active(Tenant),
    /// It is not served now, and may be again.
    Rests,
    /// There is none of the name.
    Gone,
}

/// What a relay knows from one round to the next.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    swept: Option<Instant>,
    is_failing: bool,
}

impl Outbox {
    /// One round. Cancellation safe: what was brought and is still in the outbox is brought again, which changes nothing.
    pub(crate) async fn round(&self, rounds: &mut Rounds, admit: &dyn Admit) {
        let done =
            if self.is_in_files() { self.files(rounds, admit).await } else { self.all_servers().await };
        match done {
            Ok(()) => rounds.is_failing = false,
            Err(problem) if rounds.is_failing => {
                tracing::debug!(
                    error = &problem as &dyn std::error::Error,
                    "queued work still waits in an outbox"
                );
            }
            Err(problem) => {
                rounds.is_failing = true;
                tracing::warn!(
                    error = &problem as &dyn std::error::Error,
                    "what transactions have put in line cannot be brought there; trying again"
                );
            }
        }
    }

    /// Waits until there may be something to bring.
    pub(crate) async fn something(&self) {
        let _ = timeout(LOOK, self.wake.notified()).await;
    }

    async fn all_servers(&self) -> Result<(), SchedulerError> {
        self.prepare().await?;
        let mut result = Ok(());
        for (_, database) in self.servers.open_numbered() {
            // One that fails does not hold up the others.
            if let Err(problem) = self.drain_server(database).await {
                result = Err(problem);
            }
        }
        result
    }

    async fn files(&self, rounds: &mut Rounds, admit: &dyn Admit) -> Result<(), SchedulerError> {
        if rounds.swept.is_none() {
            for name in self.queue.marked().await? {
                if let Ok(id) = TenantId::parse(&name) {
                    self.marks.add(&id);
                }
            }
        }
        let ended: Vec<Tenant> = std::mem::take(&mut *self.ended()).into_values().collect();
        let drained =
            stream::iter(ended).map(|tenant| async move { self.drain_file(&tenant).await.map(drop) });
        let mut result = drained.buffer_unordered(FILES).fold(Ok(()), keep_error).await;
        if rounds.swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            rounds.swept = Some(Instant::now());
            let swept = stream::iter(self.marks.tenants()).map(|id| self.sweep(id, admit));
            result = swept.buffer_unordered(FILES).fold(result, keep_error).await;
        }
        result
    }

    /// Looks after one that is marked.
    async fn sweep(&self, id: TenantId, admit: &dyn Admit) -> Result<(), SchedulerError> {
        match admit.admit(id).await {
            // With its file went its work.
            Admitted::Gone => self.marks.take_back(self.queue.as_ref(), &id).await,
            Admitted::Rests => Ok(()),
            Admitted::Active(tenant) => {
                if self.drain_file(&tenant).await? {
                    self.settle_file(&tenant).await?;
                }
                Ok(())
            }
        }
    }
}

async fn keep_error(
    before: Result<(), SchedulerError>,
    next: Result<(), SchedulerError>,
) -> Result<(), SchedulerError> {
    before.and(next)
}

pub(super) fn json<T: serde::Serialize>(of: &T) -> Result<Value, SchedulerError> {
    let text = serde_json::to_string(of)
        .map_err(|source| SchedulerError::Unavailable { source: Box::new(source) })?;
    Ok(text.into())
}
