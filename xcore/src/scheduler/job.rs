//! What a job is and whose it is.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{JobArguments, Retries, Schedule, SchedulerError};
use crate::tenancy::TenantId;

/// Longest id of a dynamic job, in bytes.
pub(super) const MAX_ID: usize = 255;

/// The `#[job]` method that a job calls. The macro generates one maker per method: `OrdersJobs::daily_report()`.
///
/// It is a name, not a closure, so that a job can be stored and run by another process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobCall {
    /// The name of the plugin.
    pub plugin: Cow<'static, str>,
    /// The name of the method.
    pub job: Cow<'static, str>,
    /// What it is given.
    #[serde(default, skip_serializing_if = "JobArguments::is_none")]
    pub(crate) arguments: JobArguments,
}

impl JobCall {
    /// Names a job method of a plugin. A call that no plugin has is refused when it is scheduled.
    #[must_use]
    pub fn new(plugin: impl Into<Cow<'static, str>>, job: impl Into<Cow<'static, str>>) -> Self {
        Self { plugin: plugin.into(), job: job.into(), arguments: JobArguments::default() }
    }

    /// The same with arguments: a tuple with one element for each that the method takes after its context. Those that cannot be
    /// written down are refused when the call is scheduled.
    #[must_use]
    pub fn with_arguments<T: Serialize>(self, arguments: &T) -> Self {
        Self { arguments: JobArguments::write(arguments), ..self }
    }

    /// The method, whatever it is given.
    pub(crate) fn method(&self) -> Self {
        Self { arguments: JobArguments::default(), ..self.clone() }
    }
}

impl fmt::Display for JobCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.plugin, self.job)
    }
}

/// What happens at a tick while the earlier run of the same job of the same tenant is not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// The tick is left out.
    #[default]
    Skip,
    /// The tick waits until the earlier run is done. At most one waits; further ones are left out.
    Queue,
    /// Both run at once. At most 64 runs of a job wait for their turn; further ones are left out.
    Allow,
}

/// For whom a `#[job]` runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// For every active tenant, in a context of that tenant.
    #[default]
    Tenant,
    /// Once, in the context of the app, which belongs to no tenant.
    App,
}

/// What happens at ticks that passed while no process ran, or none had the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Misfire {
    /// They pass without a run. A tick counts as missed when it is more than a minute late.
    Skip,
    /// One run stands for all of them.
    #[default]
    Once,
    /// Each has its run. Of more than this many the latest have.
    All(u32),
}

/// What `#[job]` says of every run of a method, whoever asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rules {
    #[serde(default)]
    pub(crate) per: Per,
    pub(crate) overlap: Overlap,
    /// `None` means that the app's own limit holds.
    pub(crate) timeout: Option<Duration>,
    #[serde(default)]
    pub(crate) misfire: Misfire,
    #[serde(default)]
    pub(crate) retries: Retries,
    /// The time over which the runs of a tick are spread.
    #[serde(default)]
    pub(crate) jitter: Duration,
}

impl Rules {
    /// How long after its tick a run begins. The same for the same run, and spread evenly over many.
    pub(super) fn delay(&self, owner: &str, id: &str, tick: i64) -> Duration {
        let window = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX);
        if window == 0 {
            return Duration::ZERO;
        }
        let mut hasher = DefaultHasher::new();
        (owner, id, tick).hash(&mut hasher);
        Duration::from_millis(hasher.finish() % window)
    }
}

/// Whose job it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// One tenant's.
    Tenant(TenantId),
    /// Everyone's, with isolation off.
    Shared,
    /// The app's. No handle reaches it.
    App,
}

/// What tells a job from all others. Written `tenant:job`; a tenant id holds no `:`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JobKey {
    pub(crate) owner: Owner,
    /// The id as its owner names it.
    pub(crate) id: Arc<str>,
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.owner {
            Owner::Tenant(tenant) => write!(f, "{tenant}:{}", self.id),
            Owner::Shared | Owner::App => f.write_str(&self.id),
        }
    }
}

/// A job as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct JobEntry {
    pub(crate) key: JobKey,
    pub(crate) call: JobCall,
    pub(crate) schedule: Schedule,
    pub(crate) rules: Rules,
    /// Whether `#[job]` declares it, so that it cannot be removed.
    pub(crate) declared: bool,
    pub(crate) paused: bool,
    /// It has no part in ticks up to this instant: it was added or resumed then.
    pub(crate) since: DateTime<Utc>,
}

/// Checks an id for a job that is added at run time.
pub(super) fn check_dynamic_id(id: &str) -> Result<(), SchedulerError> {
    let fits = (1..=MAX_ID).contains(&id.len()) && !id.chars().any(|c| c == '.' || c.is_control());
    if fits { Ok(()) } else { Err(SchedulerError::InvalidId { id: id.chars().take(MAX_ID).collect() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_tenant_colon_job() {
        let owner = Owner::Tenant(TenantId::parse("acme").unwrap());
        assert_eq!(JobKey { owner, id: "a:b".into() }.to_string(), "acme:a:b");
        assert_eq!(JobKey { owner: Owner::Shared, id: "a".into() }.to_string(), "a");
    }

    #[test]
    fn jitter_spreads_many_runs_evenly_and_is_the_same_for_the_same_run() {
        let rules = Rules { jitter: Duration::from_secs(10), ..Rules::default() };
        let mut quarters = [0; 4];
        for number in 0..10_000 {
            let delay = rules.delay(&format!("t{number}"), "job", 7);
            assert_eq!(delay, rules.delay(&format!("t{number}"), "job", 7));
            quarters[usize::try_from(delay.as_millis() / 2_500).unwrap()] += 1;
        }
        assert!(quarters.iter().all(|count| (2_300..2_700).contains(count)), "{quarters:?}");
        assert_eq!(Rules::default().delay("acme", "job", 7), Duration::ZERO);
    }

    #[test]
    fn a_dynamic_id_cannot_look_like_a_declared_one() {
        for good in ["a", "daily report", "ä:b/c*", &"x".repeat(MAX_ID)] {
            assert!(check_dynamic_id(good).is_ok(), "{good:?}");
        }
        for bad in ["", "orders.daily_report", "a\0", "a\n", &"x".repeat(MAX_ID + 1)] {
            assert!(matches!(check_dynamic_id(bad), Err(SchedulerError::InvalidId { .. })), "{bad:?}");
        }
    }
}
