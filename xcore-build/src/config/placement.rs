//! What several servers, replicas and the rest of the configuration ask of each other.

use super::contradictions::{Tree, push};
use super::{DatabaseUrl, DbRole, Directory, Pooler};
use crate::problem::{Problem, Problems};
use crate::settings::{List, OneOf, ServerMap, ServerUrl, StorageUrl};
use crate::yaml::Node;

const URL: &str = "services.database.url";
const SERVERS: &str = "services.database.servers";
const REPLICAS: &str = "services.database.replicas";
const POOLER: &str = "services.database.pooler";
const DIRECT_URL: &str = "services.database.direct_url";

impl Tree<'_> {
    /// Whether the key is there, also with an address that is not known yet.
    pub(super) fn has_servers(&self) -> bool {
        self.is_set(SERVERS)
    }

    pub(super) fn check_placement(&self, problems: &mut Problems) {
        self.one_kind_of_address(problems);
        self.replicas_of_one_server(problems);
        self.replica_is_another_server(problems);
        self.tenants_have_servers(problems);
        self.replicas_know_lives(problems);
        self.replicas_have_no_roles(problems);
        self.pooler_of_one_server(problems);
    }

    /// Either `url` or `servers`.
    fn one_kind_of_address(&self, problems: &mut Problems) {
        match (self.0.find(URL).is_some(), self.0.find(SERVERS).is_some()) {
            (true, true) => {
                let message = format!(
                    "`{SERVERS}` and `{URL}` are both there, and only one of them can hold the tenants"
                );
                let help = "remove one of them; the server at `url` may become the first of `servers`";
                push(problems, self.problem(SERVERS, message), help.to_owned());
            }
            (false, false) => {
                let Some(section) =
                    self.0.find("services").and_then(Node::map).and_then(|map| map.entry("database"))
                else {
                    return;
                };
                if section.node.map().is_none() {
                    return;
                }
                let help = "add `url:` below `database:`, `sqlite://FOLDER`, a folder that holds one SQLite file per tenant, or \
                            `postgres://USER@HOST/DATABASE`; or `servers:` for several PostgreSQL servers";
                let problem = Problem::at(&section.origin, format!("`{URL}` is missing"));
                problems.push(problem.help(help).about(URL));
            }
            _ => {}
        }
    }

    /// With several servers each has its own.
    fn replicas_of_one_server(&self, problems: &mut Problems) {
        if self.has_servers() && self.is_set(REPLICAS) {
            let message = format!("`{REPLICAS}` are those of `url`, and there are `servers`");
            let help = "put them below their server: `NAME: { url: .., replicas: [..] }`";
            push(problems, self.problem(REPLICAS, message), help.to_owned());
        }
    }

    /// A server that is its own replica takes no load from itself.
    fn replica_is_another_server(&self, problems: &mut Problems) {
        let same = |url: Option<DatabaseUrl>, replicas: Vec<DatabaseUrl>| {
            url.is_some_and(|url| replicas.contains(&url))
        };
        let help = "name the address of a streaming replica, or remove it: `ctx.db.read()` works without one"
            .to_owned();
        if same(self.value::<StorageUrl>(URL), self.value::<List<ServerUrl>>(REPLICAS).unwrap_or_default()) {
            let message = format!("`{REPLICAS}` names the server of `{URL}` itself");
            push(problems, self.problem(REPLICAS, message), help.clone());
        }
        for server in self.value::<ServerMap>(SERVERS).unwrap_or_default() {
            if same(Some(server.url), server.replicas) {
                let message =
                    format!("`{SERVERS}` names the server `{}` as a replica of itself", server.name);
                push(problems, self.problem(&format!("{SERVERS}.{}", server.name), message), help.clone());
            }
        }
    }

    /// With several servers somebody must know which tenant is where.
    fn tenants_have_servers(&self, problems: &mut Problems) {
        let several = self.0.find(SERVERS).and_then(Node::map).is_some_and(|map| map.entries.len() > 1);
        if !several {
            return;
        }
        if self.value::<OneOf<Directory>>("tenancy.directory") == Some(Directory::Open) {
            let message = format!(
                "`directory: open` keeps nothing of a tenant, and with several `{SERVERS}` somebody must know which tenant is on which"
            );
            let help = "use `directory: managed`, or one server".to_owned();
            push(problems, self.problem("tenancy.directory", message), help);
        }
        if self.is("tenancy.isolate_db", false) {
            let message = format!(
                "`isolate_db: false` puts all tenants into one schema, and there are several `{SERVERS}`"
            );
            let help = "use one server, or remove `isolate_db: false`".to_owned();
            push(problems, self.problem("tenancy.isolate_db", message), help);
        }
    }

    fn has_replicas(&self) -> bool {
        let servers = self.value::<ServerMap>(SERVERS).unwrap_or_default();
        self.is_set(REPLICAS) || servers.iter().any(|server| !server.replicas.is_empty())
    }

    /// Sessions on a replica work with the rights of the app's login.
    fn replicas_have_no_roles(&self, problems: &mut Problems) {
        let path = "tenancy.db_role";
        let role = self.value::<OneOf<DbRole>>(path).filter(|role| *role != DbRole::Shared);
        if let Some(role) = role.filter(|_| self.has_replicas()) {
            let message = format!(
                "`db_role: {}` gives each tenant rights of its own, and replicas are read with those of the app's login",
                role.as_str()
            );
            let help = "remove the replicas, `ctx.db.read()` works without them; or use `db_role: shared`"
                .to_owned();
            push(problems, self.problem(path, message), help);
        }
    }

    /// A replica may still have an earlier tenant of a name, and an open directory knows no earlier and later.
    fn replicas_know_lives(&self, problems: &mut Problems) {
        if self.has_replicas() && self.value::<OneOf<Directory>>("tenancy.directory") == Some(Directory::Open)
        {
            let message = "`directory: open` keeps nothing of a tenant, so a replica that is behind could show an earlier tenant of \
                           the same name; its replicas would never be used";
            let help = "use `directory: managed`, or remove the replicas".to_owned();
            push(problems, self.problem("tenancy.directory", message), help);
        }
    }

    /// A pooler is known at one address, with one server behind it.
    fn pooler_of_one_server(&self, problems: &mut Problems) {
        if self.has_servers() && self.is_set(DIRECT_URL) {
            let message =
                format!("`{DIRECT_URL}` is the server behind the pooler at `url`, and there are `servers`");
            let help = "remove it, and let `servers` name the servers themselves".to_owned();
            push(problems, self.problem(DIRECT_URL, message), help);
        }
        if self.value::<OneOf<Pooler>>(POOLER) != Some(Pooler::Transaction) {
            return;
        }
        for key in [SERVERS, REPLICAS] {
            if self.is_set(key) {
                let message =
                    format!("`pooler: transaction` is for one server at `url`, and there are `{key}`");
                let help = "remove one of the two; a pooler in session mode that passes `options` on needs no `pooler`".to_owned();
                push(problems, self.problem(POOLER, message), help);
            }
        }
    }
}
