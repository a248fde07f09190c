//! What runs a job. The app implements it.

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use super::JobCall;
use super::history::RunOutcome;
use crate::tenancy::TenantId;

/// Runs jobs: admits the tenant, makes its context, calls the method under the supervisor.
///
/// The future is cancelled by dropping it when the process stops and the grace time is over.
pub(crate) trait JobRunner: Send + Sync + 'static {
    /// Runs one job once. A panic in it is caught by the scheduler, too, but it words it worse.
    fn run(&self, run: JobRun) -> BoxFuture<'static, Result<(), JobFailure>>;
}

/// One run of one job.
#[derive(Clone, Debug)]
pub(crate) struct JobRun {
    /// The tenant in whose context it runs; `None` for a job of the app.
    pub(crate) tenant: Option<TenantId>,
    /// What is called.
    pub(crate) call: JobCall,
    /// The id of the job as its owner names it.
    pub(crate) id: String,
    /// The instant for which it runs, which may lie a little in the past.
    pub(crate) tick: DateTime<Utc>,
    /// How often it has failed before.
    pub(crate) failures: u32,
    /// How long it may take. The runner enforces it; the scheduler drops the run a little later.
    pub(crate) timeout: Option<Duration>,
}

/// How a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum JobFailure {
    /// The method returned an error.
    #[error("the job failed")]
    Failed {
        /// What it returned.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The method panicked.
    #[error("the job panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The method took too long.
    #[error("the job took longer than {limit:?} and was stopped")]
    TimedOut {
        /// Its limit.
        limit: Duration,
    },
    /// The tenant is suspended. The run is kept until it is resumed, if its jobs rest.
    #[error("the job could not be started: its tenant is suspended")]
    Suspended,
    /// So many runs of the tenant are under way, which is what its plan allows. The run is kept until one of them ends.
    #[error(
        "the job could not be started: {most} runs of its tenant are under way, as many as its plan allows"
    )]
    Crowded {
        /// How many the plan allows.
        most: u32,
    },
    /// The tenant does not exist or is not active, or the plugin has no such method.
    #[error("the job could not be started")]
    Refused {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl JobFailure {
    /// Whether the method was called, so that calling it again may help.
    pub(super) fn is_of_the_run(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Panicked { .. } | Self::TimedOut { .. })
    }

    /// As the history of runs has it.
    pub(super) fn outcome(&self) -> RunOutcome {
        match self {
            Self::Failed { .. } => RunOutcome::Failed,
            Self::Panicked { .. } => RunOutcome::Panicked,
            Self::TimedOut { .. } => RunOutcome::TimedOut,
            Self::Suspended | Self::Crowded { .. } | Self::Refused { .. } => RunOutcome::Refused,
        }
    }
}
