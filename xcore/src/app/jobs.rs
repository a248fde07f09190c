//! Runs the jobs that the scheduler finds due.

use std::sync::Weak;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::instance::Inner;
use crate::scheduler::{JobCall, JobFailure, JobRun, JobRunner};
use crate::tenancy::{TenancyError, Tenant};

/// Runs jobs in their tenant's context. Weak, so that a scheduler that outlives its app runs nothing.
pub(super) struct AppJobs {
    pub(super) app: Weak<Inner>,
}

impl JobRunner for AppJobs {
    fn run(&self, run: JobRun) -> BoxFuture<'static, Result<(), JobFailure>> {
        let app = self.app.clone();
        async move {
            let app = app.upgrade().ok_or_else(|| refused(JobError::Leaving))?;
            // Admission at run time: a tenant that was deleted since the tick does not run.
            let Some(id) = run.tenant else {
                return running(&app, &run, None)?.await.map_err(failed);
            };
            let mut admitted = app.tenants.admit(&id).await;
            let mut rests = false;
            if matches!(admitted, Err(TenancyError::Suspended(_) | TenancyError::Unknown)) {
                // Its jobs do not rest yet, or do no longer: another process has moved it a moment ago. One that is soft-deleted is
                // unknown, and its runs are kept, too.
                rests = app.tenants.rest(&id).await.map_err(refused)?;
                app.runtime.admission.directory.forget(&id);
                admitted = app.tenants.admit(&id).await;
            }
            let tenant = admitted.map_err(|problem| match problem {
                TenancyError::Suspended(_) => JobFailure::Suspended,
                TenancyError::Unknown if rests => JobFailure::Suspended,
                problem => refused(problem),
            })?;
            let _place = tenant.take_job_place().map_err(|most| JobFailure::Crowded { most })?;
            running(&app, &run, Some(tenant))?.await.map_err(failed)
        }
        .boxed()
    }
}

/// The call of the method.
fn running(
    app: &Inner,
    run: &JobRun,
    tenant: Option<Tenant>,
) -> Result<BoxFuture<'static, crate::error::Result<()>>, JobFailure> {
    let plugin = app.plugins.iter().find(|plugin| plugin.facts.name == run.call.plugin);
    plugin
        .and_then(|plugin| plugin.mounted.run_job(run, tenant))
        .ok_or_else(|| refused(JobError::Unknown { call: run.call.clone() }))
}

fn failed(error: crate::error::Error) -> JobFailure {
    JobFailure::Failed { source: Box::new(Failed { text: error.chain() }) }
}

/// Why a job could not be begun.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error("the app is going away")]
    Leaving,
    #[error("no plugin of this app has the job `{call}`")]
    Unknown { call: JobCall },
}

/// What a job returned, with its causes.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Failed {
    text: String,
}

fn refused(source: impl std::error::Error + Send + Sync + 'static) -> JobFailure {
    JobFailure::Refused { source: Box::new(source) }
}
