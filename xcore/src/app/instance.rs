//! A running app.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::http::StatusCode;
use serde_json::Value;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;
use tracing::{error, warn};

use super::tenants::{Tenants, names};
use crate::db::{DatabaseError, Finding, MigrationReport, Migrations};
use crate::error::{Error, Result};
use crate::http::{CallError, request_for};
use crate::plugin::{ActionSpec, AnyMounted, AppHook, Facts, Runtime, Scope};
use crate::tenancy::{Preadmitted, Tenant, TenantId};

/// A running app: its router, its tenants, and calls by name.
///
/// Cloning is one reference count. [`Instance::shutdown`] ends it; dropping the last clone ends its background tasks
/// but runs no stop hooks.
#[derive(Clone)]
pub struct Instance(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) runtime: Arc<Runtime>,
    pub(super) plugins: Vec<Placed>,
    pub(super) tenants: Tenants,
    pub(super) public: Router,
    /// One router per action: a call by name reaches the action that it names, whatever its arguments are.
    pub(super) by_name: HashMap<(&'static str, &'static str), Router>,
    pub(super) prefix: String,
    pub(super) shared_migrations: Vec<Migrations>,
    pub(super) config: xcore_build::config::Loaded,
    pub(super) tasks: std::sync::Mutex<Vec<AbortHandle>>,
    pub(super) is_down: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // What is remembered holds contexts, and those hold the plugins and services of this app.
        self.runtime.admission.directory.clear();
    }
}

/// A plugin and where it is mounted.
pub(super) struct Placed {
    pub(super) facts: Facts,
    pub(super) mounted: Arc<dyn AnyMounted>,
}

/// What is left of a grace time; a little is always granted, so that data is closed in order.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(500))
}

/// Longest answer of a call by name, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

impl Instance {
    /// The routes of all plugins, ready for `axum::serve`, or to be merged into or layered by a router of your own.
    pub fn router(&self) -> Router {
        self.0.public.clone()
    }

    /// Creates, lists, migrates and deletes tenants.
    #[must_use]
    pub fn tenants(&self) -> &Tenants {
        &self.0.tenants
    }

    /// Calls an action by name for a tenant, as a job, the command line or a test does. Internal actions can be called too.
    ///
    /// Members of `arguments` fill the path, then the query of a GET, HEAD, DELETE or OPTIONS; otherwise they are the
    /// JSON body.
    ///
    /// # Errors
    /// 404 for a tenant, plugin or action that is not there, 400 for arguments that do not fit and for an action that belongs to no
    /// tenant, and what the action itself answers with a status of 400 or more.
    pub async fn call(
        &self,
        plugin: &str,
        action: &str,
        tenant: &TenantId,
        arguments: Value,
    ) -> Result<Value> {
        let (placed, spec) = self.find(plugin, action)?;
        if spec.scope == Scope::Central {
            let wrong = CallError::OfNoTenant { plugin: spec.plugin, action: spec.name };
            return Err(Error::own(StatusCode::BAD_REQUEST, "unexpected-tenant", Some(wrong.to_string())));
        }
        let tenant = self.0.tenants.admit(tenant).await?;
        self.request(placed, spec, Some(tenant), arguments).await
    }

    /// Calls an action by name for no tenant: one with `scope = "central"` or `"any"`. Otherwise as [`Instance::call`].
    ///
    /// # Errors
    /// As [`Instance::call`]; 400 for an action that belongs to a tenant.
    pub async fn call_central(&self, plugin: &str, action: &str, arguments: Value) -> Result<Value> {
        let (placed, spec) = self.find(plugin, action)?;
        if spec.scope == Scope::Tenant {
            let wrong = CallError::OfTenant { plugin: spec.plugin, action: spec.name };
            return Err(Error::own(StatusCode::BAD_REQUEST, "missing-tenant", Some(wrong.to_string())));
        }
        self.request(placed, spec, None, arguments).await
    }

    async fn request(
        &self,
        placed: &Placed,
        spec: &'static ActionSpec,
        tenant: Option<Tenant>,
        arguments: Value,
    ) -> Result<Value> {
        let mut request = request_for(&self.0.prefix, placed.facts.path, spec, arguments)
            .map_err(|wrong| Error::bad_request(wrong.to_string()))?;
        request.extensions_mut().insert(Preadmitted { tenant, app: self.0.runtime.admission.app });
        let Some(router) = self.0.by_name.get(&(spec.plugin, spec.name)) else {
            return Err(Error::not_found("the app is not ready"));
        };
        let Ok(response) = router.clone().oneshot(request).await;
        let status = response.status();
        let body = to_bytes(response.into_body(), ANSWER_LIMIT).await.map_err(Error::internal)?;
        let answer = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body)
                .unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into())
        };
        if status.is_client_error() || status.is_server_error() {
            return Err(failed(status, answer));
        }
        Ok(answer)
    }

    /// Applies the pending shared migrations of the plugins.
    pub(super) async fn migrate_shared(&self) -> Result<MigrationReport, DatabaseError> {
        match &self.0.runtime.database {
            Some(database) => database.migrate_shared(&self.0.shared_migrations).await,
            None => Ok(MigrationReport::default()),
        }
    }

    /// The pending shared migrations of the plugins, as `plugin: name`.
    pub(super) async fn pending_shared(&self) -> Result<Vec<String>, DatabaseError> {
        match &self.0.runtime.database {
            Some(database) => Ok(names(&database.pending_shared(&self.0.shared_migrations).await?)),
            None => Ok(Vec::new()),
        }
    }

    /// What is wrong with the rights on the database server.
    pub(super) async fn findings(&self) -> Result<Vec<Finding>, DatabaseError> {
        match &self.0.runtime.database {
            Some(database) => database.findings().await,
            None => Ok(Vec::new()),
        }
    }

    /// The tenant, if the directory need not be asked.
    #[cfg(feature = "testing")]
    pub(crate) fn remembered(&self, id: &TenantId) -> Option<crate::Tenant> {
        self.0.runtime.admission.directory.remembered(id)
    }

    /// The tenant of a request that names none.
    #[must_use]
    pub fn default_tenant(&self) -> Option<TenantId> {
        self.0.runtime.admission.default
    }

    /// An action by its names.
    pub(super) fn find(&self, plugin: &str, action: &str) -> Result<(&Placed, &'static ActionSpec)> {
        let placed =
            self.0.plugins.iter().find(|placed| placed.facts.name == plugin).ok_or_else(|| {
                Error::not_found(CallError::NoPlugin { plugin: plugin.to_owned() }.to_string())
            })?;
        let spec = placed.facts.actions.iter().find(|spec| spec.name == action).ok_or_else(|| {
            let wrong = CallError::NoAction { plugin: plugin.to_owned(), action: action.to_owned() };
            Error::not_found(wrong.to_string())
        })?;
        Ok((placed, spec))
    }

    /// Stops what runs by itself, runs the stop hooks in the reverse order of start, and closes the services, all within
    /// `app.shutdown_grace`. A second call does nothing more.
    pub async fn shutdown(&self) {
        self.shutdown_by(Instant::now() + self.0.config.config.app.shutdown_grace).await;
    }

    /// As [`Instance::shutdown`], with a grace time that began before.
    pub(super) async fn shutdown_by(&self, deadline: Instant) {
        if self.0.is_down.swap(true, Ordering::AcqRel) {
            return;
        }
        self.stop_tasks();
        self.stop_jobs(deadline).await;
        for placed in self.0.plugins.iter().rev() {
            let plugin = placed.facts.name;
            match timeout(left(deadline), placed.mounted.app_hook(AppHook::Stop)).await {
                Ok(Ok(())) => {}
                Ok(Err(problem)) => error!(plugin, error = %problem.chain(), "the stop hook failed"),
                Err(_) => error!(plugin, "the stop hook did not end within the grace time and was left"),
            }
        }
        if timeout(left(deadline), self.close()).await.is_err() {
            warn!(
                "the databases did not close within the grace time; the next start recovers what they logged"
            );
        }
    }

    /// Stops an app whose start failed: the plugins that were not started get no stop hook, so none gets one.
    pub(super) async fn leave(&self) {
        self.0.is_down.store(true, Ordering::Release);
        self.stop_tasks();
        self.stop_jobs(Instant::now()).await;
        self.close().await;
    }

    /// Begins no further run of a job and waits for those under way.
    pub(super) async fn stop_jobs(&self, deadline: Instant) {
        if let Some(scheduler) = &self.0.runtime.scheduler {
            let report = scheduler.shutdown(deadline.saturating_duration_since(Instant::now())).await;
            if report.cancelled + report.never_begun > 0 {
                warn!(report.cancelled, report.never_begun, "runs of jobs were cut off");
            }
        }
    }

    fn stop_tasks(&self) {
        for task in std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(|broken| broken.into_inner())) {
            task.abort();
        }
    }

    /// Closes the services of an app that was not started to serve.
    pub(super) async fn close(&self) {
        if let Some(database) = &self.0.runtime.database {
            database.close().await;
        }
    }
}

/// The problem document of an answer as an error again.
fn failed(status: StatusCode, answer: Value) -> Error {
    let detail = match &answer {
        Value::Object(problem) => problem.get("detail").and_then(Value::as_str).map(str::to_owned),
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    let mut error = Error::new(status, detail.unwrap_or_else(|| status.to_string()));
    if let Value::Object(problem) = answer {
        for (name, value) in problem {
            match (name.as_str(), value) {
                ("type", Value::String(uri)) => error = error.with_type(uri),
                ("status" | "title" | "detail", _) => {}
                (_, value) => error = error.with(name, value),
            }
        }
    }
    error
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("app", &self.0.runtime.app_name).finish_non_exhaustive()
    }
}
