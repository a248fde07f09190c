//! Plans that are wrong together with the rest of the configuration.

use super::CacheBackend;
use super::contradictions::{Tree, push};
use crate::problem::Problems;
use crate::settings::{Kind, OneOf, PlanName, Size, Whole};
use crate::suggest;
use crate::yaml::Node;

const PLANS: &str = "tenancy.plans";

impl Tree<'_> {
    pub(super) fn check_plans(&self, problems: &mut Problems) {
        self.default_plan_is_there(problems);
        for name in self.plan_names() {
            self.burst_without_rate(name, problems);
            self.limits_of_no_service(name, problems);
            self.bytes_that_are_not_counted(name, problems);
        }
    }

    fn plan_names(&self) -> Vec<&str> {
        let map = self.0.find(PLANS).and_then(Node::map);
        map.iter().flat_map(|map| &map.entries).map(|entry| entry.key.as_str()).collect()
    }

    /// Every tenant without a plan of its own would be without limits.
    fn default_plan_is_there(&self, problems: &mut Problems) {
        const DEFAULT: &str = "tenancy.default_plan";
        let Some(default) = self.value::<PlanName>(DEFAULT) else { return };
        let names = self.plan_names();
        if names.contains(&default.as_str()) {
            return;
        }
        let help = match suggest::nearest(&default, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => format!("add `plans: {{ {default}: {{ .. }} }}` to `tenancy`"),
            None => format!("the plans of this configuration are {}", suggest::list(names)),
        };
        let message = format!("`{DEFAULT}` is `{default}`, and there is no such plan in `{PLANS}`");
        push(problems, self.problem(DEFAULT, message), help);
    }

    fn burst_without_rate(&self, name: &str, problems: &mut Problems) {
        let burst = format!("{PLANS}.{name}.burst");
        if self.is_number(&burst) && !self.is_set(&format!("{PLANS}.{name}.requests_per_second")) {
            let message = format!("`{burst}` has no effect without `requests_per_second`");
            let help = "add `requests_per_second` to the plan, or remove `burst`";
            push(problems, self.problem(&burst, message), help.to_owned());
        }
    }

    /// What the app does not have needs no limit.
    fn limits_of_no_service(&self, name: &str, problems: &mut Problems) {
        let keys =
            [("database_connections", "database"), ("jobs", "scheduler"), ("concurrent_jobs", "scheduler")];
        for (key, service) in keys {
            let path = format!("{PLANS}.{name}.{key}");
            // What is wrong by itself is told already.
            if !(self.is_number(&path) || key == "jobs" && self.is_set(&path)) {
                continue;
            }
            if !self.is_set(&format!("services.{service}")) {
                let message = format!("`{path}` has no effect without `services.{service}`");
                let help = format!("add `services.{service}`, or remove `{key}`");
                push(problems, self.problem(&path, message), help);
            } else if service == "scheduler" && self.is("tenancy.isolate_scheduler", false) {
                let message = format!(
                    "`{path}` has no effect with `isolate_scheduler: false`: no job is known to be a tenant's"
                );
                push(
                    problems,
                    self.problem(&path, message),
                    format!("remove `{key}`, or `isolate_scheduler: false`"),
                );
            }
        }
    }

    /// Only what is in the memory of the process can be counted for each tenant, and only where its keys are known to be its own.
    fn bytes_that_are_not_counted(&self, name: &str, problems: &mut Problems) {
        let path = format!("{PLANS}.{name}.cache_bytes");
        let Some(bytes) = self.value::<Size>(&path) else { return };
        let (message, help) = if !self.is_set("services.cache") {
            ("without `services.cache`".to_owned(), "add `services.cache`, or remove `cache_bytes`")
        } else if self.value::<OneOf<CacheBackend>>("services.cache.backend") == Some(CacheBackend::Redis) {
            (
                "with `services.cache.backend: redis`: the server evicts by rules of its own (`maxmemory-policy`), which know no tenants"
                    .to_owned(),
                "use `backend: tiered`, whose memory in this process keeps to it, or remove `cache_bytes`",
            )
        } else if self.is("tenancy.isolate_cache", false) {
            (
                "with `isolate_cache: false`: no entry is known to be a tenant's".to_owned(),
                "remove `cache_bytes`, or `isolate_cache: false`",
            )
        } else if let Some(capacity) =
            self.value::<Size>("services.cache.capacity").filter(|all| bytes > *all)
        {
            (
                format!(
                    "above `services.cache.capacity`, which is {capacity} bytes for all tenants together"
                ),
                "make it smaller, or raise `services.cache.capacity`",
            )
        } else {
            return;
        };
        let problem = self.problem(&path, format!("`{path}` has no effect {message}"));
        push(problems, problem, help.to_owned());
    }

    fn is_number(&self, path: &str) -> bool {
        let node = self.0.find(path).filter(|node| !node.is_pending() && !node.is_null());
        node.is_some_and(|node| <Whole<1, 1_000_000> as Kind>::read(node).is_ok())
    }
}
