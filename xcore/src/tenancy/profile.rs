//! What an operator has noted of a tenant: plan, metadata, settings.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Plan, Plans, TenantId};

/// The largest JSON text of a tenant's metadata, and of its settings, in bytes. It is kept in memory for each tenant.
const LARGEST: usize = 16 * 1024;

/// What an operator has noted of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// What it has bought.
    pub plan: Option<String>,
    /// What xcore keeps and does not read: an account number, a region, the name of a person.
    pub metadata: Map<String, Value>,
    /// What differs for this tenant from `tenancy.settings` of `xcore.yaml`.
    pub settings: Map<String, Value>,
}

/// Changes to a [`Profile`]: what is not named stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct ProfileChange {
    plan: Option<Option<String>>,
    metadata: Map<String, Value>,
    settings: Map<String, Value>,
}

/// Why a profile cannot be as it would be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// It would be too large.
    #[error(
        "the {what} of a tenant take at most {LARGEST} bytes as JSON, these take {bytes}; keep what is large in its database"
    )]
    TooLarge {
        /// Metadata or settings.
        what: &'static str,
        /// How large.
        bytes: usize,
    },
    /// There is no such plan.
    #[error("`tenancy.plans` of xcore.yaml has no plan `{plan}`; it has {}", known.join(", "))]
    Plan {
        /// Its name.
        plan: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// The settings do not fit the struct that the app reads them as.
    #[error("{} not fit this app: {source}", setting.as_ref().map_or("the settings do".to_owned(), |name| format!("the setting `{name}` does")))]
    Settings {
        /// The one at fault, where that can be told.
        setting: Option<String>,
        /// What does not fit.
        #[source]
        source: Arc<serde_json::Error>,
    },
}

impl ProfileChange {
    /// Changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another plan, or none.
    pub fn plan(mut self, plan: Option<&str>) -> Self {
        self.plan = Some(plan.map(str::to_owned));
        self
    }

    /// A member of the metadata; null removes it.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// A setting; null goes back to what `tenancy.settings` says.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// Whether what it changes can be. What it leaves as it was is not looked at: it may have been right once.
    pub(crate) fn check(&self, profile: &Profile, rules: &SettingsRules) -> Result<(), ProfileError> {
        if let Some(Some(plan)) = &self.plan {
            rules.plans.check(plan)?;
        }
        if self.settings.is_empty() { Ok(()) } else { rules.check(&profile.settings) }
    }

    pub(crate) fn apply(&self, profile: &mut Profile) -> Result<(), ProfileError> {
        if let Some(plan) = &self.plan {
            profile.plan.clone_from(plan);
        }
        for (what, changes, members) in [
            ("metadata", &self.metadata, &mut profile.metadata),
            ("settings", &self.settings, &mut profile.settings),
        ] {
            for (name, value) in changes {
                if value.is_null() {
                    members.remove(name);
                } else {
                    members.insert(name.clone(), value.clone());
                }
            }
            let bytes = serde_json::to_string(members).map_or(0, |text| text.len());
            if bytes > LARGEST && !changes.is_empty() {
                return Err(ProfileError::TooLarge { what, bytes });
            }
        }
        Ok(())
    }
}

/// Whether settings can be read as a struct.
pub(crate) type SettingsCheck = fn(Value) -> Result<(), serde_json::Error>;

/// `tenancy.settings`, the struct that the app reads settings as, and `tenancy.plans`.
#[derive(Clone, Default)]
pub(crate) struct SettingsRules {
    pub(crate) defaults: Map<String, Value>,
    /// As the app's struct.
    pub(crate) check: Option<SettingsCheck>,
    /// What tenants may use.
    pub(crate) plans: Plans,
}

impl SettingsRules {
    /// A tenant's settings over the defaults, member by member.
    fn over(&self, settings: &Map<String, Value>) -> Value {
        let mut all = self.defaults.clone();
        all.extend(settings.iter().map(|(name, value)| (name.clone(), value.clone())));
        Value::Object(all)
    }

    pub(crate) fn check(&self, settings: &Map<String, Value>) -> Result<(), ProfileError> {
        let Some(check) = self.check else { return Ok(()) };
        let all = self.over(settings);
        let Err(source) = check(all.clone()) else { return Ok(()) };
        let setting = at_fault(&all, check);
        Err(ProfileError::Settings { setting, source: Arc::new(source) })
    }
}

/// The error does not name the setting, so it is looked for: without it all is well, or it is missed.
fn at_fault(settings: &Value, check: SettingsCheck) -> Option<String> {
    let names = settings.as_object()?.keys();
    let is_at_fault = |name: &&String| {
        let mut others = settings.clone();
        others.as_object_mut().map(|others| others.remove(*name));
        check(others).map_or_else(|error| error.to_string() == format!("missing field `{name}`"), |()| true)
    };
    names.into_iter().find(is_at_fault).cloned()
}

/// A check that reads settings as `T`.
pub(crate) fn fits<T: DeserializeOwned>(settings: Value) -> Result<(), serde_json::Error> {
    serde_json::from_value::<T>(settings).map(drop)
}

/// A profile as contexts see it: the settings are read as a type once, not for every request.
pub(crate) struct View {
    pub(crate) profile: Profile,
    /// Whether the directory has seen it; otherwise it is a placeholder.
    pub(crate) is_seen: bool,
    /// What the tenant may use; `None`: whatever it likes.
    pub(crate) limits: Option<Arc<Plan>>,
    effective: Value,
    typed: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl View {
    pub(crate) fn new(profile: Profile, rules: &SettingsRules) -> Self {
        let effective = rules.over(&profile.settings);
        Self { profile, is_seen: false, limits: None, effective, typed: Mutex::default() }
    }

    pub(crate) fn seen(id: &TenantId, profile: Profile, rules: &SettingsRules) -> Self {
        let limits = rules.plans.of(id, profile.plan.as_deref()).cloned();
        Self { is_seen: true, limits, ..Self::new(profile, rules) }
    }

    /// Whether the directory has seen it, as it is.
    pub(crate) fn is_of(&self, profile: &Profile) -> bool {
        self.is_seen && self.profile == *profile
    }

    pub(crate) fn settings<T: DeserializeOwned + Send + Sync + 'static>(
        &self,
    ) -> Result<Arc<T>, ProfileError> {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = typed.get(&TypeId::of::<T>())
            && let Ok(known) = Arc::clone(known).downcast()
        {
            return Ok(known);
        }
        let read: T = serde_json::from_value(self.effective.clone())
            .map_err(|source| ProfileError::Settings { setting: None, source: Arc::new(source) })?;
        let read = Arc::new(read);
        typed.insert(TypeId::of::<T>(), Arc::clone(&read) as Arc<dyn Any + Send + Sync>);
        Ok(read)
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.profile.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        max_lines: u32,
        theme: String,
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_a_change_does_not_name_stays() {
        let mut profile = Profile::default();
        let change = ProfileChange::new().plan(Some("pro")).metadata("account", 7).setting("theme", "dark");
        change.apply(&mut profile).unwrap();
        ProfileChange::new().metadata("region", "eu").apply(&mut profile).unwrap();
        assert_eq!(profile.plan.as_deref(), Some("pro"));
        assert_eq!(profile.metadata, map(json!({ "account": 7, "region": "eu" })));
        let back = ProfileChange::new().plan(None).metadata("account", Value::Null);
        back.setting("theme", Value::Null).apply(&mut profile).unwrap();
        let left = Profile { metadata: map(json!({ "region": "eu" })), ..Profile::default() };
        assert_eq!(profile, left);
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let large = "x".repeat(LARGEST);
        let change = ProfileChange::new().metadata("large", large);
        assert!(matches!(change.apply(&mut Profile::default()), Err(ProfileError::TooLarge { .. })));
    }

    #[test]
    fn settings_are_those_of_the_tenant_over_the_defaults_read_once() {
        let rules = SettingsRules {
            defaults: map(json!({ "max_lines": 10, "theme": "light" })),
            check: Some(fits::<Settings>),
            ..SettingsRules::default()
        };
        let own = map(json!({ "theme": "dark" }));
        rules.check(&own).unwrap();
        let view = View::new(Profile { settings: own, ..Profile::default() }, &rules);
        let settings = view.settings::<Settings>().unwrap();
        assert_eq!(*settings, Settings { max_lines: 10, theme: "dark".to_owned() });
        assert!(Arc::ptr_eq(&settings, &view.settings::<Settings>().unwrap()));
        for wrong in [json!({ "theme": 1 }), json!({ "colour": "red" })] {
            let refused = rules.check(&map(wrong)).unwrap_err().to_string();
            assert!(refused.contains("theme") || refused.contains("colour"), "{refused}");
        }
    }
}
