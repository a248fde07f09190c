//! Keys that are right each by itself and wrong together.

use std::time::Duration;

use super::{CacheBackend, DatabaseUrl, DbRole, Directory, Pooler, SchedulerBackend, Source};
use crate::problem::{Problem, Problems};
use crate::settings::{
    DefaultTenant, Flag, HostLabel, Kind, List, OneOf, PublicUrl, Size, Span, StorageUrl, Whole, host_of,
    is_address,
};
use crate::yaml::Node;

/// Reports contradictions between keys. A key that is unknown yet, or wrong by itself, contradicts nothing.
pub(crate) fn check_contradictions(tree: &Node, problems: &mut Problems) {
    let tree = Tree(tree);
    tree.own_host_as_tenant(problems);
    tree.nobody_names_a_tenant(problems);
    tree.sources_without_their_keys(problems);
    tree.keys_without_their_source(problems);
    tree.nothing_proves_a_tenant(problems);
    tree.proxies_of_no_source(problems);
    tree.path_of_the_app(problems);
    tree.two_sources_in_one_header(problems);
    tree.directory_of_keys(problems);
    tree.key_of_tokens(problems);
    tree.default_tenant_needed(problems);
    tree.open_directory_of_one_database(problems);
    tree.versions_that_nobody_notes(problems);
    tree.role_without_a_schema(problems);
    tree.connections_of_one_file(problems);
    tree.keys_of_another_database(problems);
    tree.more_than_connections(problems);
    tree.pooler_without_the_server(problems);
    tree.check_placement(problems);
    tree.check_plans(problems);
    tree.cache_sizes(problems);
    tree.cache_of_another_backend(problems);
    tree.jobs_without_a_database(problems);
    tree.lease_too_short(problems);
}

/// Connections to one SQLite file.
const FILE_CONNECTIONS: u32 = 64;

/// Keys of `services.database` that mean something for a folder of files only.
const FILE_KEYS: &[&str] = &["max_open"];

/// Keys of `services.database` that mean something for a server only.
const SERVER_KEYS: &[&str] =
    &["min_connections", "active_connections", "statement_timeout", "replicas", "pooler", "direct_url"];

/// Keys of `services.cache` that mean something for a server only.
const CACHE_SERVER_KEYS: &[&str] = &["url", "cluster", "prefix", "timeout", "on_failure"];

pub(super) struct Tree<'a>(pub(super) &'a Node);

impl Tree<'_> {
    pub(super) fn value<K: Kind>(&self, path: &str) -> Option<K::Value> {
        let node = self.0.find(path).filter(|node| !node.is_pending())?;
        if node.is_null() && !K::NULLABLE {
            return None;
        }
        K::read(node).ok()
    }

    pub(super) fn is(&self, path: &str, wanted: bool) -> bool {
        self.value::<Flag>(path) == Some(wanted)
    }

    pub(super) fn problem(&self, path: &str, message: impl Into<String>) -> Option<Problem> {
        // A default is nowhere to point at; then the section is what the reader has.
        let node = self.0.find(path)?;
        let section = path.split('.').next().unwrap_or(path);
        let entry = self.0.map()?.entry(section)?;
        let origin = if node.origin.is_default() { &entry.origin } else { &node.origin };
        Some(Problem::at(origin, message).about(path))
    }

    /// The app's own host would be read as the name of a tenant.
    fn own_host_as_tenant(&self, problems: &mut Problems) {
        let Some(host) = self.value::<PublicUrl>("app.url").and_then(|url| host_of(&url)) else { return };
        let asks_hosts = self.sources().is_some_and(|sources| sources.contains(&Source::Subdomain));
        if !self.is("tenancy.enabled", true) || !asks_hosts || is_address(&host) {
            return;
        }
        let Some((label, rest)) = host.split_once('.') else { return };
        let reserved = self.value::<List<HostLabel>>("tenancy.reserved_labels");
        if reserved.is_none_or(|reserved| reserved.iter().any(|reserved| reserved == label)) {
            return;
        }
        let Some(bases) = self.base_domains() else { return };
        let (is_tenant, help) = if bases.is_empty() {
            (
                rest.contains('.'),
                format!("add `base_domain: {host}` to `tenancy`, so that tenants are `NAME.{host}`"),
            )
        } else {
            let is_below = bases.iter().any(|base| host.ends_with(&format!(".{base}")));
            (is_below && !bases.contains(&host), format!("set `tenancy.base_domain: {host}`"))
        };
        if is_tenant {
            let message = format!(
                "the host of `app.url` would be read as the tenant `{label}`, because the subdomain names the tenant"
            );
            push(problems, self.problem("app.url", message), help);
        }
    }

    /// Every request would be refused.
    fn nobody_names_a_tenant(&self, problems: &mut Problems) {
        let no_default = self.value::<DefaultTenant>("tenancy.default_tenant") == Some(None);
        let no_source = self.sources().is_some_and(|sources| sources.is_empty());
        if self.is("tenancy.enabled", true) && no_default && no_source {
            let is_listed = self.0.find("tenancy.sources").is_some_and(|node| !node.is_null());
            let message = if is_listed {
                "no request could name a tenant: `sources` is empty and `default_tenant` is null"
            } else {
                "no request could name a tenant: `header` is off, `subdomain` is false and `default_tenant` is null"
            };
            push(problems, self.problem("tenancy.default_tenant", message), "turn on one of them".to_owned());
        }
    }

    /// Settings that put everything into the default tenant, without one.
    fn default_tenant_needed(&self, problems: &mut Problems) {
        if self.value::<DefaultTenant>("tenancy.default_tenant") != Some(None) {
            return;
        }
        let help = "set `tenancy.default_tenant`, or remove the line to have `default`".to_owned();
        if self.is("tenancy.enabled", false) {
            let message = "`tenancy.enabled` is false, so every request belongs to the default tenant, and `default_tenant` is null";
            push(problems, self.problem("tenancy.default_tenant", message), help);
        } else if self.is("tenancy.isolate_scheduler", false) {
            let message = "`tenancy.isolate_scheduler` is false, so jobs run for the default tenant, and `default_tenant` is null";
            push(problems, self.problem("tenancy.default_tenant", message), help);
        }
    }

    /// An open directory admits who has a database, and with one for all everybody has.
    fn open_directory_of_one_database(&self, problems: &mut Problems) {
        let is_open = self.value::<OneOf<Directory>>("tenancy.directory") == Some(Directory::Open);
        if is_open && self.is("tenancy.isolate_db", false) {
            let message = "`directory: open` admits every tenant that has a database, and with `isolate_db: false` every name has the one for all";
            push(
                problems,
                self.problem("tenancy.directory", message),
                "use `directory: managed`, or remove `isolate_db: false`".to_owned(),
            );
        }
    }

    /// What the data of a tenant has is noted in a managed directory, in a database.
    fn versions_that_nobody_notes(&self, problems: &mut Problems) {
        let is_open = self.value::<OneOf<Directory>>("tenancy.directory") == Some(Directory::Open);
        let has_database = self.0.find("services.database").is_some();
        for key in ["accept_newer", "accept_older"] {
            let path = format!("tenancy.{key}");
            // The default is 0, and changes nothing.
            let is_set = self.value::<Whole<0, 1000>>(&path).is_some_and(|accepted| accepted > 0);
            if !is_set || (has_database && !is_open) {
                continue;
            }
            let (why, remedy) = if is_open {
                ("`directory: open` notes none", "use `directory: managed`")
            } else {
                ("there is no database", "add `services.database`")
            };
            let message = format!("`{key}` compares the migrations that are noted of each tenant, and {why}");
            push(problems, self.problem(&path, message), format!("{remedy}, or remove `{key}`"));
        }
    }

    /// A tenant's role owns the tenant's schema, and only a server has roles.
    fn role_without_a_schema(&self, problems: &mut Problems) {
        let path = "tenancy.db_role";
        let Some(role) = self.value::<OneOf<DbRole>>(path).filter(|role| *role != DbRole::Shared) else {
            return;
        };
        let role = role.as_str();
        if self.0.find("services.database.url").is_none() && !self.has_servers() {
            let message = format!(
                "`db_role: {role}` gives tenants a role on a database server, and there is no database"
            );
            push(problems, self.problem(path, message), "add `services.database`, or remove it".to_owned());
        } else if self.database().is_some_and(|url| !url.is_postgres()) {
            let message = format!(
                "`db_role: {role}` is for `postgres://` only, and `services.database.url` is a `sqlite://`, which has no roles"
            );
            let help =
                "remove it, or set it where the `postgres://` is set, in `xcore.production.yaml` for example";
            push(problems, self.problem(path, message), help.to_owned());
        } else if self.is("tenancy.isolate_db", false) {
            let message = format!(
                "`db_role: {role}` makes a role the owner of each tenant's schema, and with `isolate_db: false` there is one schema for all"
            );
            let help = "remove `isolate_db: false`, or use `db_role: shared`";
            push(problems, self.problem(path, message), help.to_owned());
        } else if role == DbRole::Login.as_str()
            && self.value::<OneOf<Pooler>>("services.database.pooler") == Some(Pooler::Transaction)
        {
            let message = "`db_role: login` gives each tenant connections of its own, and behind `pooler: transaction` connections are shared";
            let help = "use `db_role: set_role`, or connect to the server itself: put `direct_url` into `url` and remove `pooler`";
            push(problems, self.problem(path, message), help.to_owned());
        }
    }

    pub(super) fn database(&self) -> Option<DatabaseUrl> {
        self.value::<StorageUrl>("services.database.url")
    }

    /// Whether servers hold the tenants; `None` when that is not known.
    fn is_server(&self) -> Option<bool> {
        if self.has_servers() {
            return Some(true);
        }
        self.database().map(|url| url.is_postgres())
    }

    pub(super) fn is_set(&self, path: &str) -> bool {
        self.0.find(path).is_some_and(|node| !node.is_null() && !node.origin.is_default())
    }

    /// Each is a thread, and all of them wait for one writer.
    fn connections_of_one_file(&self, problems: &mut Problems) {
        let path = "services.database.connections";
        let connections = self.value::<Whole<1, 1024>>(path);
        if let (Some(connections), Some(false)) = (connections, self.is_server())
            && connections > FILE_CONNECTIONS
        {
            let message = format!(
                "`{path}` is {connections}, and `sqlite://` has that many for each tenant's file; at most {FILE_CONNECTIONS} are allowed"
            );
            let help = format!(
                "use {FILE_CONNECTIONS} or less; only `postgres://`, whose connections are for all tenants together, takes up to 1024"
            );
            push(problems, self.problem(path, message), help);
        }
    }

    /// More connections kept open, or working, than there may be.
    fn more_than_connections(&self, problems: &mut Problems) {
        let connections = self.value::<Whole<1, 1024>>("services.database.connections");
        for key in ["min_connections", "active_connections"] {
            let path = format!("services.database.{key}");
            if let (Some(some), Some(most)) = (self.value::<Whole<1, 1024>>(&path), connections)
                && self.is_server() == Some(true)
                && some > most
            {
                let message =
                    format!("`{path}` ({some}) is larger than `services.database.connections` ({most})");
                let help = format!("make `{key}` at most as large as `connections`");
                push(problems, self.problem(&path, message), help);
            }
        }
    }

    /// A key that is accepted has an effect.
    fn keys_of_another_database(&self, problems: &mut Problems) {
        let Some(is_server) = self.is_server() else { return };
        let (keys, own, scheme) = if is_server {
            (FILE_KEYS, "sqlite://", "postgres://")
        } else {
            (SERVER_KEYS, "postgres://", "sqlite://")
        };
        let has_url = self.is_set("services.database.url");
        let other = if has_url {
            format!("`services.database.url` is a `{scheme}`")
        } else {
            "`services.database.servers` are not".to_owned()
        };
        for key in keys {
            let path = format!("services.database.{key}");
            if self.is_set(&path) {
                let message = format!("`{path}` is for `{own}` only, and {other}");
                let help = format!(
                    "remove it, or set it where the `{own}` is set, in `xcore.production.yaml` for example"
                );
                push(problems, self.problem(&path, message), help);
            }
        }
    }

    /// What needs a session that stays goes past the pooler, and only then is there anything to pass.
    fn pooler_without_the_server(&self, problems: &mut Problems) {
        if !self.database().is_some_and(|url| url.is_postgres()) {
            return;
        }
        let (pooler, direct) = ("services.database.pooler", "services.database.direct_url");
        let chosen = self.value::<OneOf<Pooler>>(pooler);
        if chosen.is_none() && self.is_set(pooler) {
            // Unknown yet, or wrong by itself.
            return;
        }
        match chosen {
            Some(Pooler::Transaction) if !self.is_set(direct) => {
                let message = "`pooler: transaction` needs `services.database.direct_url`, the server without the pooler: migrations, \
                     the making and dropping of schemas and the locks around them need sessions that stay";
                let help = "add `direct_url: postgres://USER@HOST/DATABASE` beside `url`, with the server's own host and port";
                push(problems, self.problem(pooler, message), help.to_owned());
            }
            Some(Pooler::None) | None if self.is_set(direct) => {
                let message = "`services.database.direct_url` is for `pooler: transaction` only";
                let help = "add `pooler: transaction` if `url` leads to a pooler, or remove `direct_url`";
                push(problems, self.problem(direct, message), help.to_owned());
            }
            _ => {}
        }
    }

    /// A server has an address, and a key that is accepted has an effect.
    fn cache_of_another_backend(&self, problems: &mut Problems) {
        let path = "services.cache.backend";
        let Some(backend) = self.value::<OneOf<CacheBackend>>(path) else { return };
        let word = match backend {
            CacheBackend::Memory => "memory",
            CacheBackend::Redis => "redis",
            CacheBackend::Tiered => "tiered",
        };
        if backend == CacheBackend::Memory {
            for key in CACHE_SERVER_KEYS {
                let path = format!("services.cache.{key}");
                if self.is_set(&path) {
                    let message =
                        format!("`{path}` is for a server, and `services.cache.backend` is `memory`");
                    let help = "set `backend: redis` or `backend: tiered`, or remove it";
                    push(problems, self.problem(&path, message), help.to_owned());
                }
            }
            return;
        }
        if self.0.find("services.cache.url").is_none_or(Node::is_null) {
            let message =
                format!("`{path}` is `{word}`, and `services.cache.url` does not say where the server is");
            let help = "add `url: \"redis://127.0.0.1:6379\"` beside it";
            push(problems, self.problem(path, message), help.to_owned());
        }
        let capacity = "services.cache.capacity";
        if backend == CacheBackend::Redis && self.is_set(capacity) {
            let message = format!("`{capacity}` is memory of this process, and `backend: redis` uses none");
            let help = "remove it, or set `backend: tiered`; the server's memory is its own `maxmemory`";
            push(problems, self.problem(capacity, message), help.to_owned());
        }
    }

    /// A value of the largest size would never fit.
    fn cache_sizes(&self, problems: &mut Problems) {
        let capacity = self.value::<Size>("services.cache.capacity");
        let max_value = self.value::<Size>("services.cache.max_value");
        if let (Some(capacity), Some(max_value)) = (capacity, max_value)
            && max_value > capacity
        {
            let default =
                self.0.find("services.cache.max_value").is_some_and(|node| node.origin.is_default());
            let path = if default { "services.cache.capacity" } else { "services.cache.max_value" };
            let message = format!(
                "`services.cache.max_value` ({max_value} bytes) is larger than `services.cache.capacity` ({capacity} bytes)"
            );
            push(
                problems,
                self.problem(path, message),
                "make `max_value` at most as large as `capacity`".to_owned(),
            );
        }
    }
}

impl Tree<'_> {
    /// Jobs are kept in the directory's database.
    fn jobs_without_a_database(&self, problems: &mut Problems) {
        let path = "services.scheduler.backend";
        let is_stored = self.value::<OneOf<SchedulerBackend>>(path) == Some(SchedulerBackend::Database);
        if is_stored && !self.has("services.database") {
            let message = "`backend: database` keeps jobs in the database, and there is none";
            push(
                problems,
                self.problem(path, message),
                "add `services.database`, or use `memory`".to_owned(),
            );
        }
    }

    /// A process that is busy for a moment must not lose its runs.
    fn lease_too_short(&self, problems: &mut Problems) {
        let path = "services.scheduler.lease";
        if self.value::<Span>(path).is_some_and(|lease| lease < Duration::from_secs(3)) {
            let message = "`services.scheduler.lease` is shorter than 3s, so a process that is busy for a moment would lose its runs";
            push(
                problems,
                self.problem(path, message),
                "use `30s`, or what a run may be late when a process dies".to_owned(),
            );
        }
    }
}

pub(super) fn push(problems: &mut Problems, problem: Option<Problem>, help: String) {
    if let Some(problem) = problem {
        problems.push(problem.help(help));
    }
}
