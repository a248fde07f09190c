//! From the typed configuration to what each service wants.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono_tz::Tz;
use xcore_build::config::{
    CacheBackend, CacheCodec, Config, DatabaseUrl, DbRole as ConfiguredRole, Directory as DirectoryKind,
    OnFailure, Pooler, SchedulerBackend,
};

use super::boot::{BootError, Own};
use super::directory_table::DirectoryTable;
use super::existence::Everyone;
use super::sources;
use super::tenants::version_of;
#[cfg(feature = "redis")]
use crate::cache::RedisSettings;
use crate::cache::{Cache, CacheSettings, Codec};
use crate::db::{DatabaseSettings, DbRole, Migrations, OpenMode, ServerSettings, ServerUrl, Servers};
use crate::scheduler::{Keep, Outbox, Scheduler, SchedulerError, SchedulerSettings, Stored};
use crate::tenancy::{
    Admission, CacheRoom, Directory, DirectorySettings, DirectoryStore, FixedStore, Gap, OpenStore, Plan,
    Plans, Rate, SettingsRules, TenantId, Window,
};

/// How the databases are set up: one, or several servers.
pub(super) fn databases(config: &Config, mode: OpenMode) -> Result<Option<Vec<ServerSettings>>, BootError> {
    let Some(section) = &config.services.database else { return Ok(None) };
    let wrong = |source| BootError::Database { source };
    let one = |url: &DatabaseUrl, replicas: &[DatabaseUrl]| -> Result<DatabaseSettings, BootError> {
        let mut settings = DatabaseSettings::new(url.as_str(), &config.folder).map_err(wrong)?;
        let replicas = replicas.iter().map(|url| ServerUrl::new(url.as_str()));
        settings.replicas = replicas.collect::<Result<_, _>>().map_err(wrong)?;
        if let (Some(Pooler::Transaction), Some(direct)) = (section.pooler, &section.direct_url) {
            settings.direct_server = Some(ServerUrl::new(direct.as_str()).map_err(wrong)?);
        }
        if let Some(max_open) = section.max_open {
            settings.max_open = max_open as usize;
        }
        settings.connections = section.connections as usize;
        settings.min_connections = section.min_connections.unwrap_or(0) as usize;
        settings.active_connections = section.active_connections.map(|active| active as usize);
        settings.statement_timeout = section.statement_timeout;
        settings.busy_timeout = section.busy_timeout;
        settings.drain_timeout = config.app.shutdown_grace;
        settings.isolate = config.tenancy.isolate_db;
        settings.db_role = match config.tenancy.db_role {
            ConfiguredRole::SetRole => DbRole::SetRole,
            ConfiguredRole::Login => DbRole::Login,
            _ => DbRole::Shared,
        };
        settings.mode = mode;
        Ok(settings)
    };
    let only = section.url.iter().map(|url| {
        let replicas = section.replicas.as_deref().unwrap_or_default();
        Ok(ServerSettings { name: None, settings: one(url, replicas)? })
    });
    let named = section.servers.iter().flatten().map(|server| {
        let settings = one(&server.url, &server.replicas)?;
        Ok(ServerSettings { name: Some(server.name.as_str().into()), settings })
    });
    only.chain(named).collect::<Result<_, BootError>>().map(Some)
}

/// The cache, if there is one.
pub(super) fn cache(config: &Config) -> Result<Option<Cache>, BootError> {
    let Some(section) = config.services.cache.as_ref() else { return Ok(None) };
    let settings = CacheSettings {
        capacity: section.capacity,
        max_value: section.max_value,
        codec: match section.codec {
            CacheCodec::MessagePack => Codec::MessagePack,
            _ => Codec::Json,
        },
        pass_through: section.on_failure == Some(OnFailure::PassThrough),
        isolate: config.tenancy.isolate_cache,
    };
    if section.backend == CacheBackend::Memory {
        return Ok(Some(Cache::memory(settings)));
    }
    #[cfg(feature = "redis")]
    {
        let url = section.url.as_ref().map_or("", |url| url.as_str());
        let server = RedisSettings::new(
            url,
            section.cluster.unwrap_or(false),
            section.prefix.clone(),
            section.timeout.unwrap_or(std::time::Duration::from_secs(1)),
        )
        .map_err(|source| BootError::Cache { source })?;
        Ok(Some(match section.backend {
            CacheBackend::Tiered => Cache::tiered(server, settings),
            _ => Cache::redis(server, settings),
        }))
    }
    #[cfg(not(feature = "redis"))]
    Err(BootError::NotBuilt { key: "services.cache.backend: redis", feature: "redis" })
}

/// The scheduler, if there is one.
pub(super) fn scheduler(
    config: &Config,
    default: Option<TenantId>,
    database: Option<&Servers>,
) -> Result<Option<Scheduler>, BootError> {
    let Some(section) = &config.services.scheduler else { return Ok(None) };
    let age = Duration::from_secs(u64::from(section.history_days) * 24 * 60 * 60);
    let keep = Keep { age, runs: section.history };
    let settings = SchedulerSettings {
        timezone: time_zone(&section.timezone)?,
        concurrency: section.concurrency as usize,
        isolate: config.tenancy.isolate_scheduler,
        default_tenant: default,
        lease: section.lease,
        keep,
    };
    let made = match (section.backend, database) {
        (SchedulerBackend::Database, Some(database)) => {
            let stored = Arc::new(Stored::new(database.directory(), keep));
            let isolates_data = config.tenancy.isolate_db;
            let outbox =
                Outbox::new(database.clone(), Arc::clone(&stored) as _, settings.isolate, isolates_data);
            Scheduler::stored(stored, settings).inspect(|scheduler| scheduler.set_outbox(outbox))
        }
        // `xcore.yaml` is refused that stores jobs without a database.
        _ => Scheduler::memory(settings),
    };
    made.map(Some).map_err(|source| BootError::Scheduler { source })
}

/// Who decides which tenant a request belongs to.
pub(super) fn admission(
    config: &Config,
    database: Option<&Servers>,
    plugins: usize,
    own: &Own,
    window: &Arc<Window>,
    cache: Option<&Cache>,
) -> Result<Admission, BootError> {
    let tenancy = &config.tenancy;
    let defaults = tenancy.settings.as_object().cloned().unwrap_or_default();
    let rules = SettingsRules { defaults, check: own.settings, plans: plans(config, cache) };
    rules.check(&serde_json::Map::new()).map_err(|source| BootError::Settings { source })?;
    let default = tenancy.default_tenant.as_deref().map(tenant_id).transpose()?;
    let store: Arc<dyn DirectoryStore> = match (tenancy.directory, database) {
        (DirectoryKind::Managed, Some(database)) => Arc::new(DirectoryTable::new(database.directory())),
        (DirectoryKind::Managed, None) => Arc::new(FixedStore::new(ensured(config)?)),
        (_, Some(database)) => Arc::new(OpenStore::new(Arc::new(database.only().clone()))),
        (_, None) => Arc::new(OpenStore::new(Arc::new(Everyone))),
    };
    static APPS: AtomicU64 = AtomicU64::new(0);
    Ok(Admission {
        app: APPS.fetch_add(1, Ordering::Relaxed),
        asks: sources::asks(config, database, &own.sources)?,
        default,
        hint: sources::hint(config).into(),
        without: sources::without(config).into(),
        directory: Directory::new(
            store,
            DirectorySettings {
                ttl: tenancy.directory_ttl,
                capacity: tenancy.directory_cache as usize,
                stale_for: tenancy.stale_for,
                serves_public: default.is_some_and(|id| id.is_public()),
                plugins,
                rules,
                window: Some(Arc::clone(window)),
            },
        ),
    })
}

/// Which versions of the tenants' data are served.
pub(super) fn window(config: &Config, migrations: &[Migrations]) -> Arc<Window> {
    let tenancy = &config.tenancy;
    let widest = Gap { newer: tenancy.accept_newer as usize, older: tenancy.accept_older as usize };
    Arc::new(Window::new(version_of(migrations, tenancy.db_role), widest))
}

/// What tenants may use.
fn plans(config: &Config, cache: Option<&Cache>) -> Plans {
    let plan = |plan: &xcore_build::config::Plan| Plan {
        rate: plan
            .requests_per_second
            .map(|per_second| Rate { per_second, burst: plan.burst.unwrap_or(per_second) }),
        concurrent_requests: plan.concurrent_requests,
        connections: plan.database_connections,
        cache_bytes: plan.cache_bytes,
        jobs: plan.jobs,
        concurrent_jobs: plan.concurrent_jobs,
    };
    let by_name: BTreeMap<_, _> =
        config.plans.iter().map(|(name, limits)| (name.clone(), Arc::new(plan(limits)))).collect();
    let default = config.tenancy.default_plan.as_ref().and_then(|name| by_name.get(name).cloned());
    let is_cache_limited = by_name.values().any(|plan| plan.cache_bytes.is_some());
    let cache = cache.filter(|_| is_cache_limited).map(|cache| Arc::new(cache.clone()) as Arc<dyn CacheRoom>);
    Plans { by_name: Arc::new(by_name), default, cache }
}

/// The tenants that must exist: the default one and those of `tenancy.ensure`.
pub(super) fn ensured(config: &Config) -> Result<Vec<TenantId>, BootError> {
    let tenancy = &config.tenancy;
    tenancy.default_tenant.iter().chain(&tenancy.ensure).map(|name| tenant_id(name)).collect()
}

/// An IANA time zone.
pub(super) fn time_zone(name: &str) -> Result<Tz, BootError> {
    name.parse().map_err(|_| {
        let source = SchedulerError::UnknownZone { zone: name.to_owned() };
        BootError::Scheduler { source }
    })
}

fn tenant_id(name: &str) -> Result<TenantId, BootError> {
    TenantId::parse(name).map_err(|source| BootError::Tenant { name: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use xcore_build::config::LoadOptions;

    use super::{Config, OpenMode, databases};

    #[test]
    fn a_pooler_and_the_server_behind_it_reach_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("xcore.yaml");
        let text =
            "app: { name: shop }\nservices: { database: { url: \"postgres://u:secret@pooler/shop\" } }\n";
        std::fs::write(&file, text).unwrap();
        let mut options = LoadOptions { overlay: None, ..LoadOptions::from_environment(&file) };
        let direct = |options: &LoadOptions| {
            let loaded = Config::load(options).unwrap();
            databases(&loaded.config, OpenMode::Beside).unwrap().unwrap().remove(0).settings.direct_server
        };
        assert!(direct(&options).is_none());
        for (key, value) in [("POOLER", "transaction"), ("DIRECT_URL", "postgres://u:secret@server/shop")] {
            options.env.insert(format!("XCORE__SERVICES__DATABASE__{key}"), value.to_owned());
        }
        let server = direct(&options).unwrap();
        assert_eq!(server.as_str(), "postgres://u:secret@server/shop");
        assert!(!format!("{server:?}").contains("secret"));
    }
}
