//! Why something could not be done with a tenant.

use super::ArchiveError;
use crate::db::DatabaseError;
use crate::error::Error;
use crate::tenancy::{InvalidTenantId, StoreError, TenantId};

/// Why a tenant could not be created, migrated or deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TenantError {
    /// The name is no tenant id.
    #[error("{name:?} is no tenant id")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: InvalidTenantId,
    },
    /// `public` is no tenant of its own.
    #[error("`public` names what all tenants share; it is a tenant only as `tenancy.default_tenant`")]
    Public,
    /// Requests that name no tenant go there, and the next start would make it again.
    #[error(
        "`{id}` is the default tenant; set another `tenancy.default_tenant` before you delete or rename it"
    )]
    IsDefault {
        /// Its name.
        id: TenantId,
    },
    /// The domain is no host name, or an address.
    #[error(
        "{domain:?} is no domain; write a host name such as shop.example.com, without scheme, port and path"
    )]
    Domain {
        /// The domain.
        domain: String,
    },
    /// Requests for the domain name their tenant otherwise.
    #[error(
        "{domain} is a base domain of this app or below one (`tenancy.base_domain`), so its first label names the tenant already"
    )]
    DomainBelowBase {
        /// The domain.
        domain: String,
    },
    /// The operating system gave no random bytes.
    #[error("cannot make a key")]
    Random {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The configuration has no server of this name.
    #[error(
        "there is no server `{server}` in `services.database.servers`; {}",
        if known.is_empty() { "there is one database only".to_owned() } else { format!("there are {}", known.join(", ")) }
    )]
    NoServer {
        /// The name.
        server: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// A creation that was cut off goes on where it was begun.
    #[error(
        "the creation of tenant `{id}` was begun on server `{server}`; name that one or none to finish it, or delete the tenant first"
    )]
    BegunElsewhere {
        /// The tenant.
        id: TenantId,
        /// Its server.
        server: String,
    },
    /// The tenant could not be exported, imported or cloned.
    #[error(transparent)]
    Archive {
        /// Why.
        #[from]
        source: ArchiveError,
    },
    /// The directory refused.
    #[error("the directory refused")]
    Directory {
        /// Why.
        #[from]
        source: StoreError,
    },
    /// The data could not be made, migrated or dropped.
    #[error(
        "the data of tenant `{id}` could not be {step}; it is tried again by a server that runs, by the next start, and by `tenant resume {id}`"
    )]
    Data {
        /// The tenant.
        id: TenantId,
        /// What failed: claimed, made, migrated, read or dropped.
        step: &'static str,
        /// Why.
        #[source]
        source: DatabaseError,
    },
    /// The data is not what this program expects, so it would not be noticed any more by the new name.
    #[error("the data of tenant `{id}` is not up to date; run `migrate --tenant {id}` before it is renamed")]
    NotMigrated {
        /// The tenant.
        id: TenantId,
    },
    /// The data could not get the name.
    #[error(
        "tenant `{id}` could not be renamed to `{to}`{}",
        if *is_undone { ", and has its old name" } else { "; a server that runs, the next start, or the same command goes on with it" }
    )]
    NotRenamed {
        /// The tenant.
        id: TenantId,
        /// The name that it was to get.
        to: TenantId,
        /// Whether it is as it was before.
        is_undone: bool,
        /// Why.
        #[source]
        source: DatabaseError,
    },
    /// Another process had gone on with it.
    #[error(
        "another process could not rename tenant `{id}` to `{to}`, and it has its old name; the log of that one says why"
    )]
    RenamingUndone {
        /// The tenant.
        id: TenantId,
        /// The name that it was to get.
        to: TenantId,
    },
    /// The jobs could not be given or taken.
    #[error(
        "the jobs of tenant `{id}` could not be changed; it is tried again by a server that runs, by the next start, and by `tenant resume {id}`"
    )]
    Jobs {
        /// The tenant.
        id: TenantId,
        /// Why.
        #[source]
        source: crate::scheduler::SchedulerError,
    },
    /// The cache entries could not be dropped.
    #[error(
        "the cache entries of tenant `{id}` could not be dropped; it is tried again by a server that runs, by the next start, and by `tenant resume {id}`"
    )]
    Cache {
        /// The tenant.
        id: TenantId,
        /// Why.
        #[source]
        source: crate::cache::CacheError,
    },
    /// A plugin's hook failed.
    #[error(
        "the {hook} hook of plugin `{plugin}` failed for tenant `{id}`: {error}; it is tried again by a server that runs, by the next start, and by `tenant resume {id}`"
    )]
    Hook {
        /// The tenant.
        id: TenantId,
        /// The plugin.
        plugin: &'static str,
        /// The hook.
        hook: &'static str,
        /// Why.
        error: Error,
    },
}
