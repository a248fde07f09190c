//! Plans: what the tenants that have bought one may use.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::warn;

use super::{ProfileError, TenantId};

/// What a tenant may use of this process. What is `None` has no limit.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) rate: Option<Rate>,
    /// How many of its requests are served at once.
    pub(crate) concurrent_requests: Option<u32>,
    /// How many connections to databases it holds at once.
    pub(crate) connections: Option<u32>,
    /// How many bytes its cache entries take in the memory of this process.
    pub(crate) cache_bytes: Option<u64>,
    /// How many jobs that were added at run time it has.
    pub(crate) jobs: Option<u32>,
    /// How many runs of its jobs are under way at once.
    pub(crate) concurrent_jobs: Option<u32>,
}

/// How many requests may come, at least one of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// In a second, in the long run.
    pub(crate) per_second: u32,
    /// At once, after a rest.
    pub(crate) burst: u32,
}

impl Plan {
    /// Whether there is anything to look at when a request comes.
    pub(crate) fn limits_requests(&self) -> bool {
        self.rate.is_some() || self.concurrent_requests.is_some()
    }
}

/// The memory of the cache, which keeps to what plans allow. It knows tenants by name, so it is told of each new life.
pub(crate) trait CacheRoom: Send + Sync {
    /// So many bytes and no more; `None`: what the others leave.
    fn limit(&self, tenant: &TenantId, bytes: Option<u64>);

    /// Forgets the limits of those who are nobody any more. Nobody is given a limit while this asks.
    fn retain(&self, is_somebody: &dyn Fn(&str) -> bool);
}

/// `tenancy.plans`. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Plans {
    pub(crate) by_name: Arc<BTreeMap<String, Arc<Plan>>>,
    /// Of those that have none, or one that `xcore.yaml` does not have any more.
    pub(crate) default: Option<Arc<Plan>>,
    /// Who is told of `cache_bytes`; `None` when no plan has it.
    pub(crate) cache: Option<Arc<dyn CacheRoom>>,
}

impl Plans {
    /// What the tenant may use. A plan that is not there any more is told once for each time that it is seen.
    pub(super) fn of(&self, tenant: &TenantId, name: Option<&str>) -> Option<&Arc<Plan>> {
        let Some(name) = name else { return self.default.as_ref() };
        let found = self.by_name.get(name);
        // An app without plans keeps the name for itself.
        if found.is_none() && !self.by_name.is_empty() {
            warn!(
                %tenant,
                plan = name,
                "`tenancy.plans` has no such plan, so the tenant has the limits of `tenancy.default_plan`; add it, or set another with `tenant set`"
            );
        }
        found.or(self.default.as_ref())
    }

    /// Whether a tenant may be given the plan.
    pub(super) fn check(&self, name: &str) -> Result<(), ProfileError> {
        if self.by_name.is_empty() || self.by_name.contains_key(name) {
            return Ok(());
        }
        let known = self.by_name.keys().cloned().collect();
        Err(ProfileError::Plan { plan: name.to_owned(), known })
    }
}
