//! What wakes the driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;
use tokio_cron_scheduler::job::JobId;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::SchedulerError;

/// How long tokio-cron-scheduler may take to answer. It answers within milliseconds or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Messages that a channel of tokio-cron-scheduler holds. Its default of 200 loses messages under load.
const CHANNEL: usize = 4096;

/// An alarm clock: it wakes the driver at an instant.
///
/// It may ring early, late, twice or without having been asked: the driver looks at the time itself. It
/// may even fail to ring, which costs the driver a second or two.
pub(crate) trait TickSource: Send + Sync + 'static {
    /// Sets the alarm, in place of the one that was set before. Only the driver calls it.
    fn arm(&self, at: DateTime<Utc>) -> BoxFuture<'_, Result<(), SchedulerError>>;

    /// Waits until it rings. A ring that nobody waits for is kept for the next call. Cancellation safe.
    fn rung(&self) -> BoxFuture<'_, ()>;

    /// Stops the clock for good.
    fn stop(&self) -> BoxFuture<'_, ()>;
}

/// The alarm clock on tokio-cron-scheduler, used for what it does well: it looks at the system clock
/// twice a second, so it also notices that the machine slept or that the clock was set, which tokio's
/// timers do not.
///
/// Not used are its cron expressions (the offset of a zone is frozen when a job is added), its job table
/// (it reads all of it at each look) and its fan-out (messages get lost when many jobs are due at once).
/// So it holds one one-shot job at a time, for the next instant of the agenda.
#[derive(Default)]
pub(super) struct CronAlarm {
    rang: Arc<Notify>,
    state: Mutex<Option<State>>,
}

struct State {
    scheduler: JobScheduler,
    armed: Option<Armed>,
}

struct Armed {
    id: JobId,
    /// Set when it rings. It then removes itself, and removing it as well would make noise in the log.
    rang: Arc<AtomicBool>,
}

impl CronAlarm {
    async fn set(&self, at: DateTime<Utc>) -> Result<(), JobSchedulerError> {
        let mut state = self.state.lock().await;
        if state.is_none() {
            let scheduler = JobScheduler::new_with_channel_size(CHANNEL).await?;
            scheduler.start().await?;
            *state = Some(State { scheduler, armed: None });
        }
        // It was filled just above.
        let Some(state) = state.as_mut() else { return Ok(()) };
        if let Some(earlier) = state.armed.take().filter(|earlier| !earlier.rang.load(Ordering::Acquire)) {
            state.scheduler.remove(&earlier.id).await?;
        }
        let rang = Arc::new(AtomicBool::new(false));
        let (mark, wake) = (Arc::clone(&rang), Arc::clone(&self.rang));
        let mut job = Job::new_one_shot(Duration::ZERO, move |_, _| {
            mark.store(true, Ordering::Release);
            wake.notify_one();
        })?;
        // The constructor adds a delay to the current second, which may pass before it does so. The
        // stored second is exact. Zero would mean a job that is over.
        let mut data = job.job_data()?;
        data.next_tick = u64::try_from(at.timestamp()).unwrap_or(0).max(1);
        job.set_job_data(data)?;
        let id = state.scheduler.add(job).await?;
        state.armed = Some(Armed { id, rang });
        Ok(())
    }
}

impl TickSource for CronAlarm {
    fn arm(&self, at: DateTime<Utc>) -> BoxFuture<'_, Result<(), SchedulerError>> {
        async move {
            match timeout(PATIENCE, self.set(at)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(source)) => Err(SchedulerError::Alarm { at, source: Box::new(source) }),
                Err(elapsed) => Err(SchedulerError::Alarm { at, source: Box::new(elapsed) }),
            }
        }
        .boxed()
    }

    fn rung(&self) -> BoxFuture<'_, ()> {
        self.rang.notified().boxed()
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        async {
            if let Some(mut state) = self.state.lock().await.take()
                && let Err(error) = state.scheduler.shutdown().await
            {
                tracing::warn!(%error, "the alarm clock of the scheduler did not stop");
            }
        }
        .boxed()
    }
}
