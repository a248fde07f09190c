//! What every plugin of an app shares.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use super::{Mounted, Plugin, Scope};
use crate::cache::Cache;
use crate::db::Servers;
use crate::error::Error;
use crate::scheduler::Scheduler;
use crate::tenancy::{Admission, Suspended, TenancyError};

/// Makes the answer for a suspended tenant.
pub(crate) type SuspendedPage = Arc<dyn Fn(&Suspended, &HeaderMap) -> Response + Send + Sync>;

/// The services, the admission and the plugins of one app. Opaque: a plugin sees what its context holds.
pub struct Runtime {
    pub(crate) app_name: String,
    pub(crate) request_timeout: Duration,
    pub(crate) body_limit: usize,
    pub(crate) admission: Admission,
    /// What an answer depends on besides its URL, for caches between here and the client (RFC 9111, section 4.1).
    pub(crate) vary: Option<HeaderValue>,
    pub(crate) database: Option<Servers>,
    pub(crate) cache: Option<Cache>,
    pub(crate) scheduler: Option<Scheduler>,
    /// What answers for suspended tenants, when the app has something to say.
    pub(crate) suspended_page: Option<SuspendedPage>,
    /// Weak, because each mounted plugin holds the runtime.
    pub(crate) mounted: OnceLock<HashMap<TypeId, Weak<dyn Any + Send + Sync>>>,
}

impl Runtime {
    /// What a client is told who was not admitted.
    pub(crate) fn refusal(&self, refused: TenancyError, headers: &HeaderMap) -> Error {
        match (&refused, &self.suspended_page) {
            (TenancyError::Suspended(suspended), Some(page)) => {
                Error::from_response_like(page(suspended, headers))
            }
            _ => Error::from(refused),
        }
    }

    /// Another plugin of the app; `None` before all are mounted and while the app goes away.
    pub(crate) fn plugin<P: Plugin>(&self) -> Option<Arc<Mounted<P>>> {
        let found = self.mounted.get()?.get(&TypeId::of::<P>())?.upgrade()?;
        found.downcast().ok()
    }
}

/// The state that extractors and routes of your own see: `Router<AppState>`.
///
/// It is opaque. A context is got from it by extraction, never by name.
#[derive(Clone)]
pub struct AppState {
    pub(crate) runtime: Arc<Runtime>,
    /// The plugin whose action is being called, `None` in routes of the app's own.
    pub(crate) plugin: Option<(TypeId, &'static str)>,
    /// The scope of the action. In routes of the app's own an extractor that needs a tenant says so by itself.
    pub(crate) scope: Scope,
}

impl AppState {
    pub(crate) fn of(runtime: &Arc<Runtime>) -> Self {
        Self { runtime: Arc::clone(runtime), plugin: None, scope: Scope::Tenant }
    }

    pub(crate) fn of_plugin<P: Plugin>(runtime: Arc<Runtime>, scope: Scope) -> Self {
        Self { runtime, plugin: Some((TypeId::of::<P>(), P::NAME)), scope }
    }

    /// `app.name` of `xcore.yaml`.
    #[must_use]
    pub fn app_name(&self) -> &str {
        &self.runtime.app_name
    }
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppState").field("app", &self.runtime.app_name).finish_non_exhaustive()
    }
}
