//! `tenancy`: how a request names its tenant, and what is kept apart.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::Source;
use super::plugin::to_json;
use crate::settings::{
    BaseDomain, Cidr, DefaultTenant, Flag, HeaderName, HostLabel, Keep, Kind, List, OneOf, PlanName, Span,
    SpanOrNone, TenantName, TenantPath, Whole, Word, Wrong, Wrongs, settings,
};
use crate::yaml::{Node, Value};

settings! {
    /// How a request names its tenant, and what is kept apart.
    pub struct Tenancy at "tenancy" {
        /// Whether requests name a tenant. `false`: every request belongs to the default tenant.
        enabled: bool = default Flag, "true";
        /// Header that names the tenant. `null` or `false`: none does.
        header: Option<String> = default HeaderName, "X-Tenant-ID";
        /// Whether the first label of the host names the tenant.
        subdomain: bool = default Flag, "false";
        /// Domain below which the first label names the tenant. Absent: hosts of at least three labels name
        /// one.
        base_domain: Option<String> = optional BaseDomain;
        /// More domains such as `base_domain`.
        base_domains: Vec<String> = default List<BaseDomain>, "";
        /// Labels that name no tenant where a tenant's would stand, `www` for example.
        reserved_labels: Vec<String> = default List<HostLabel>, "www";
        /// Path below which the next segment names the tenant: `/t` for `/t/acme/v1/orders`. It is taken off before
        /// the request is routed.
        path: Option<String> = optional TenantPath;
        /// Where requests name their tenant, in this order. Every source is asked, and those that name one must agree. Absent:
        /// what is configured of `header`, `subdomain`, `path`, `jwt` and `api_key`.
        sources: Option<Vec<Source>> = optional List<OneOf<Source>>;
        /// Whether a token, an API key or a source of your own has to prove the tenant. `false`: a name is believed.
        require_verified: bool = default Flag, "false";
        /// Addresses of the proxies in front of the app, as networks such as `10.0.0.0/8`. Only these may name a tenant by the
        /// header, and their `Forwarded` and `X-Forwarded-Host` are the host. Empty: anybody may use the header, and forwarded
        /// hosts are not read.
        trusted_proxies: Vec<ipnet::IpNet> = default List<Cidr>, "";
        /// Tenant of a request that names none. `null`: such a request is refused.
        default_tenant: Option<String> = default DefaultTenant, "default";
        /// Whether each tenant has a database of its own. `false`: one for all.
        isolate_db: bool = default Flag, "true";
        /// Whose rights a tenant has on a PostgreSQL server, below the schema of its own that `isolate_db` gives it.
        /// `shared`: those of the login in `services.database.url`, for all tenants. `set_role`: of a role of its own, which
        /// stops mistakes and names of other schemas, and not SQL that takes the role off again. `login`: of a login of its own,
        /// which stops that too; connections then serve one tenant each.
        db_role: DbRole = default OneOf<DbRole>, "shared";
        /// Whether each tenant has cache keys of its own. `false`: shared keys.
        isolate_cache: bool = default Flag, "true";
        /// Whether each tenant has jobs of its own. `false`: jobs run once, for the default tenant.
        isolate_scheduler: bool = default Flag, "true";
        /// `managed`: tenants are created before they are served. `open`: every well-formed id whose database
        /// exists is served.
        directory: Directory = default OneOf<Directory>, "managed";
        /// How long a look-up of a tenant may be answered from memory.
        directory_ttl: Duration = default Span, "30s";
        /// How many tenants are remembered. Those that were not asked for lately make room.
        directory_cache: u32 = default Whole<16, 10_000_000>, "10000";
        /// How long tenants are served from memory while the directory cannot be asked, because its database is away for
        /// example. `0`: not at all.
        stale_for: Duration = default SpanOrNone, "10m";
        /// How many migrations a tenant's data may have that this program does not know. It is served all the same, while a newer
        /// program takes over. `0`: a tenant that a newer program has migrated is refused with 503 here.
        accept_newer: u32 = default Whole<0, 1000>, "0";
        /// How many migrations of this program a tenant's data may lack, because they could not be applied, and still be served. `0`:
        /// such a tenant is refused with 503.
        accept_older: u32 = default Whole<0, 1000>, "0";
        /// How long a tenant that was deleted can be restored; then its data is dropped. `0s`: it is dropped at once.
        delete_after: Duration = default Keep, "7d";
        /// What a setting is for a tenant that has none of its own.
        settings: Json = default Members, "";
        /// Plan of the tenants that have none of their own, one of `plans`. Absent: they have no limits.
        default_plan: Option<String> = optional PlanName;
        /// How many spare tenants a server that runs keeps ready, on each of `services.database.servers`: a new tenant takes the data of
        /// one, which has all migrations already. `0`: none.
        spare_tenants: u32 = default Whole<0, 1_000>, "0";
        /// Tenants that are created at start when they are missing.
        ensure: Vec<String> = default List<TenantName<false>>, "";
    }
}

/// Which tenants are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Directory {
    /// Those that were created and are active.
    Managed,
    /// Every well-formed id whose database exists.
    Open,
}

impl Word for Directory {
    const WORDS: &'static [(&'static str, Self)] = &[("managed", Self::Managed), ("open", Self::Open)];
}

/// Whose rights a tenant has on a PostgreSQL server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DbRole {
    /// Those of the login that all tenants share.
    Shared,
    /// Those of a role that the shared login takes on.
    SetRole,
    /// Those of a login of its own.
    Login,
}

impl DbRole {
    /// The word for it in `xcore.yaml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, role)| *role == self).map_or("shared", |(word, _)| *word)
    }
}

impl Word for DbRole {
    const WORDS: &'static [(&'static str, Self)] =
        &[("shared", Self::Shared), ("set_role", Self::SetRole), ("login", Self::Login)];
}

/// A section whose keys the app names: the fields of the struct that it reads settings of tenants as.
pub(crate) struct Members;

impl Kind for Members {
    type Value = Json;

    fn expected() -> String {
        "a section with the settings of the app's tenants".to_owned()
    }

    fn read(node: &Node) -> Result<Json, Wrongs> {
        match &node.value {
            Value::Map(_) => Ok(to_json(node)),
            // The default.
            Value::Text(text) if node.loose && text.is_empty() => Ok(json!({})),
            _ => Err(Wrong::expected::<Self>(node).into()),
        }
    }

    fn json_schema() -> Json {
        json!({ "type": ["object", "null"] })
    }

    fn settle(node: &Node, _: &str) -> Value {
        Node::empty_map(node.origin.clone()).value
    }
}
