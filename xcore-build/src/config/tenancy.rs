//! `tenancy`: how a request names its tenant, and what is kept apart.

use std::time::Duration;

use crate::settings::{
    BaseDomain, DefaultTenant, Flag, HeaderName, List, OneOf, Span, TenantName, Word, settings,
};

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
