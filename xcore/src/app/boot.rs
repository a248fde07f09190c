//! From `xcore.yaml` to a running app.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, Weak};

use axum::Router;
use futures_util::StreamExt;
use tracing::{error, info, warn};
use xcore_build::config::{Config, Loaded};

use super::directory_migrations::DirectoryMigrator;
use super::fleet::MIGRATIONS_AT_ONCE;
use super::instance::{Inner, Instance, Placed};
use super::jobs::AppJobs;
use super::lifecycle::HookTimeout;
use super::order::{Ordered, start_order};
use super::tenants::Tenants;
use super::{TenantError, outbox, settings, sources, spares, watch};
use crate::db::{DatabaseError, Migrations, OpenMode, Servers};
use crate::error::Error;
use crate::http;
use crate::plugin::{
    AnyMounted, AnyPlugin, AppHook, AppState, JobSpec, Runtime, SectionError, SectionReader, SuspendedPage,
    Trigger, chain,
};
use crate::scheduler::{Rules, Schedule, Scheduler, SchedulerError, StaticJob};
use crate::tenancy::{InvalidTenantId, SettingsCheck, TenantId, TenantRecord, TenantSource, Turns};

/// Why an app did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// `xcore.yaml` or an override of it is wrong.
    #[error("{problems}")]
    Config {
        /// What is wrong, with its place.
        problems: xcore_build::Problems,
    },
    /// A plugin's section does not fit its config type.
    #[error("the configuration of a plugin does not fit")]
    Section {
        /// What does not fit.
        #[from]
        source: SectionError,
    },
    /// The name of a header that names or proves a tenant is no header name.
    #[error("`{key}` is {name:?}, which is no header name")]
    Header {
        /// The key of `xcore.yaml`.
        key: &'static str,
        /// The name.
        name: String,
        /// Why.
        #[source]
        source: axum::http::header::InvalidHeaderName,
    },
    /// A source of the app's own, and `tenancy.sources`, which does not say where it stands.
    #[error("the app has {given} sources of its own and `tenancy.sources` {named}; {remedy}")]
    OwnSource {
        /// How many [`AppBuilder::source`](super::AppBuilder::source) was given.
        given: usize,
        /// Whether `custom` is listed.
        named: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A route of a plugin begins as `tenancy.path` does.
    #[error(
        "the route {route} begins with `tenancy.path` ({path}), so what follows would be read as a tenant; set another path, or give \
         the plugin another `path`"
    )]
    PathTaken {
        /// The route.
        route: String,
        /// `tenancy.path`.
        path: String,
    },
    /// A source needs a part of xcore that this program is built without.
    #[error(
        "`{key}` is configured, and this program is built without it; add the feature `{feature}` to xcore in Cargo.toml"
    )]
    NotBuilt {
        /// The key of `xcore.yaml`.
        key: &'static str,
        /// The Cargo feature.
        feature: &'static str,
    },
    /// What tokens are checked with cannot be used.
    #[error("the keys of `tenancy.jwt` cannot be used")]
    TokenKeys {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A tenant in the configuration has no valid name.
    #[error("`tenancy` names the tenant {name:?}")]
    Tenant {
        /// The name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: InvalidTenantId,
    },
    /// Two migrations of a plugin have one name.
    #[error(
        "plugin `{plugin}` has two migrations named `{name}`, so the second would never run; `DeriveMigrationName` takes the name of \
         the file: write each migration in a file of its own"
    )]
    MigrationTwice {
        /// The plugin.
        plugin: &'static str,
        /// The name.
        name: String,
    },
    /// `tenancy.settings` is not what the app reads settings of tenants as.
    #[error("`tenancy.settings` does not fit this app")]
    Settings {
        /// What does not fit.
        #[source]
        source: crate::tenancy::ProfileError,
    },
    /// The database could not be opened or migrated.
    #[error("the database is not ready")]
    Database {
        /// Why.
        #[source]
        source: DatabaseError,
    },
    /// The cache could not be set up.
    #[error("the cache is not ready")]
    Cache {
        /// Why.
        #[source]
        source: crate::cache::CacheError,
    },
    /// The scheduler could not be set up.
    #[error("the scheduler is not ready")]
    Scheduler {
        /// Why.
        #[source]
        source: SchedulerError,
    },
    /// A job's expression or time zone cannot be read.
    #[error("job `{plugin}.{job}` has no valid schedule")]
    Job {
        /// The plugin.
        plugin: &'static str,
        /// The job.
        job: &'static str,
        /// What is wrong with it.
        #[source]
        source: SchedulerError,
    },
    /// A tenant that must exist could not be created, or one that was begun could not be finished.
    #[error("a tenant is not ready")]
    Tenants {
        /// Why.
        #[from]
        source: TenantError,
    },
    /// A plugin's start hook failed.
    #[error("the start hook of plugin `{plugin}` failed: {error}")]
    Hook {
        /// The plugin.
        plugin: &'static str,
        /// Why.
        error: Error,
    },
}

/// How much of the app is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it: tenants are made ready, jobs run, start hooks have run. One process per data folder.
    Serving,
    /// Enough for a command beside a server that may run.
    Operating,
}

/// What the app brings along besides its plugins.
#[derive(Default)]
pub(super) struct Own {
    pub(super) routes: Option<Router<AppState>>,
    pub(super) sources: Vec<Arc<dyn TenantSource>>,
    pub(super) suspended_page: Option<SuspendedPage>,
    /// Reads settings of tenants as the app's struct.
    pub(super) settings: Option<SettingsCheck>,
}

/// Starts an app.
pub(super) async fn boot(
    plugins: Vec<Box<dyn AnyPlugin>>,
    loaded: Loaded,
    own: Own,
    extent: Extent,
) -> Result<Instance, BootError> {
    let config = &loaded.config;
    let ordered = start_order(plugins);
    let mode = if extent == Extent::Serving { OpenMode::Exclusive } else { OpenMode::Beside };
    let database = match settings::databases(config, mode)? {
        Some(settings) => {
            Some(Servers::open(settings).await.map_err(|source| BootError::Database { source })?)
        }
        None => None,
    };
    let started = assemble(&ordered, &loaded, database.clone(), own).await;
    let app = match started {
        Ok(app) => app,
        Err(problem) => {
            // Frees the data folder, so that a second try in this process can have it.
            if let Some(database) = database {
                database.close().await;
            }
            return Err(problem);
        }
    };
    if extent == Extent::Serving
        && let Err(problem) = start(&app).await
    {
        // No stop hooks: not all plugins were started.
        app.leave().await;
        return Err(problem);
    }
    Ok(app)
}

/// Makes the services, the plugins and the routers.
async fn assemble(
    ordered: &[Ordered],
    loaded: &Loaded,
    database: Option<Servers>,
    own: Own,
) -> Result<Instance, BootError> {
    let config = &loaded.config;
    if let Some(database) = &database {
        let own = [Migrations::of::<DirectoryMigrator>("xcore")];
        database.migrate_directory(&own).await.map_err(|source| BootError::Database { source })?;
    }
    let migrations: Vec<Migrations> = ordered.iter().filter_map(|entry| entry.plugin.migrations()).collect();
    check_migration_names(ordered)?;
    let window = settings::window(config, &migrations);
    let cache = settings::cache(config)?;
    let admission =
        settings::admission(config, database.as_ref(), ordered.len(), &own, &window, cache.as_ref())?;
    let scheduler = settings::scheduler(config, admission.default, database.as_ref())?;
    let runtime = Arc::new(Runtime {
        app_name: config.app.name.clone(),
        request_timeout: config.app.request_timeout,
        body_limit: usize::try_from(config.app.body_limit).unwrap_or(usize::MAX),
        vary: sources::vary(config, own.sources.len()),
        admission,
        database,
        cache,
        scheduler,
        suspended_page: own.suspended_page,
        mounted: OnceLock::new(),
    });
    if let Some(scheduler) = &runtime.scheduler {
        // Before any tenant has jobs: it gets those that are known then.
        for job in ordered.iter().flat_map(|entry| entry.facts.jobs) {
            scheduler.register(declared(job, config)?);
        }
    }
    let mut plugins = Vec::with_capacity(ordered.len());
    for (slot, Ordered { facts, plugin }) in ordered.iter().enumerate() {
        let mounted = plugin.mount(Arc::clone(&runtime), slot, &SectionReader(config))?.0;
        plugins.push(Placed { facts: *facts, mounted });
    }
    let typed: HashMap<_, Weak<dyn Any + Send + Sync>> = plugins
        .iter()
        .map(|placed| (placed.facts.type_id, Arc::downgrade(&placed.mounted.typed())))
        .collect();
    // Set once, here; nobody else has the runtime yet.
    let _ = runtime.mounted.set(typed);
    let routed: Vec<(&'static str, Arc<dyn AnyMounted>)> =
        plugins.iter().map(|placed| (placed.facts.path, Arc::clone(&placed.mounted))).collect();
    let tenants = Tenants {
        runtime: Arc::clone(&runtime),
        plugins: plugins.iter().map(|placed| Arc::clone(&placed.mounted)).collect(),
        window,
        migrations,
        steps: Turns::default(),
        spare_tenants: config.tenancy.spare_tenants as usize,
        spare_taken: Arc::default(),
        said_impossible: std::sync::Once::new(),
        isolates_data: config.tenancy.isolate_db,
        delete_after: config.tenancy.delete_after,
        hook_timeout: config.app.hook_timeout,
        entered: std::sync::Mutex::default(),
    };
    let others = own.routes.map(|routes| routes.with_state(AppState::of(&runtime)));
    let public = http::router(&config.app.prefix, &routed, others);
    let public = match sources::path(config, &routed)? {
        Some(path) => http::below_tenants(path, public),
        None => public,
    };
    Ok(Instance(Arc::new(Inner {
        public,
        by_name: http::routers_by_name(&config.app.prefix, &routed),
        prefix: config.app.prefix.clone(),
        shared_migrations: ordered.iter().filter_map(|entry| entry.plugin.shared_migrations()).collect(),
        runtime,
        plugins,
        tenants,
        config: loaded.clone(),
        tasks: std::sync::Mutex::default(),
        is_down: AtomicBool::new(false),
    })))
}

/// Makes data ready and starts what runs by itself.
async fn start(app: &Instance) -> Result<(), BootError> {
    let inner = &app.0;
    if let Some(outbox) = inner.runtime.scheduler.as_ref().and_then(Scheduler::outbox) {
        outbox.prepare().await.map_err(|source| BootError::Scheduler { source })?;
    }
    app.migrate_shared().await.map_err(|source| BootError::Database { source })?;
    let ensure = settings::ensured(&inner.config.config)?;
    inner.tenants.recover(&ensure).await?;
    report_unknown_servers(inner).await?;
    let awaited = bring_up_to_date(inner).await?;
    for placed in &inner.plugins {
        let limit = inner.tenants.hook_timeout;
        let ended = tokio::time::timeout(limit, placed.mounted.app_hook(AppHook::Start)).await;
        ended
            .unwrap_or_else(|_| Err(Error::internal(HookTimeout { limit })))
            .map_err(|error| BootError::Hook { plugin: placed.facts.name, error })?;
    }
    if let Some(scheduler) = &inner.runtime.scheduler {
        let active = inner.runtime.admission.directory.active().await.map_err(TenantError::from)?;
        inner.tenants.enter_all(&active).await?;
        let runner = Arc::new(AppJobs { app: Arc::downgrade(inner) });
        scheduler.start(runner).await.map_err(|source| BootError::Scheduler { source })?;
    }
    let notices = inner.runtime.database.as_ref().and_then(Servers::notices);
    let (changes, changed) = tokio::sync::watch::channel(());
    let watching = tokio::spawn(watch::watch(Arc::downgrade(inner), notices, changes));
    let undoing = tokio::spawn(watch::undo_imports(Arc::downgrade(inner), changed.clone()));
    let following = tokio::spawn(watch::follow(Arc::downgrade(inner), changed));
    let mut tasks = inner.tasks.lock().unwrap_or_else(|broken| broken.into_inner());
    let ticking = tokio::spawn(watch::tick(Arc::downgrade(inner)));
    if inner.runtime.database.is_some() {
        tasks.push(tokio::spawn(spares::keep(Arc::downgrade(inner))).abort_handle());
    }
    if !awaited.is_empty() {
        tasks.push(tokio::spawn(watch::migrate_later(Arc::downgrade(inner), awaited)).abort_handle());
    }
    if let Some(outbox) = inner.runtime.scheduler.as_ref().and_then(Scheduler::outbox) {
        tasks.push(tokio::spawn(outbox::relay(Arc::downgrade(inner), Arc::clone(outbox))).abort_handle());
    }
    tasks.push(undoing.abort_handle());
    tasks.extend([ticking.abort_handle(), watching.abort_handle(), following.abort_handle()]);
    Ok(())
}

/// Two migrations of one name would be one: the second is taken for applied.
fn check_migration_names(ordered: &[Ordered]) -> Result<(), BootError> {
    let all = |entry: &Ordered| [entry.plugin.migrations(), entry.plugin.shared_migrations()];
    for migrations in ordered.iter().flat_map(all).flatten() {
        let mut seen = HashSet::new();
        for migration in (migrations.list)() {
            let name = migration.name().to_owned();
            if seen.contains(&name) {
                return Err(BootError::MigrationTwice { plugin: migrations.plugin(), name });
            }
            seen.insert(name);
        }
    }
    Ok(())
}

/// A job as the scheduler knows it.
fn declared(job: &'static JobSpec, config: &Config) -> Result<StaticJob, BootError> {
    let default = config.services.scheduler.as_ref().map_or("UTC", |section| section.timezone.as_str());
    let zone = job.timezone.unwrap_or(default);
    let schedule = match job.trigger {
        Some(Trigger::Cron(expression)) => Some(Schedule::cron(expression, zone)),
        Some(Trigger::Every(interval)) => Some(Schedule::every(interval)),
        None => None,
    };
    let schedule = schedule.transpose().map_err(|source| BootError::Job {
        plugin: job.plugin,
        job: job.name,
        source,
    })?;
    let spread = config.services.scheduler.as_ref().and_then(|section| section.spread);
    let rules = Rules {
        per: job.per,
        overlap: job.overlap,
        timeout: job.timeout,
        misfire: job.misfire,
        retries: job.retries,
        // What is asked for at run time has a time that was asked for.
        jitter: job.jitter.or(spread.filter(|_| job.trigger.is_some())).unwrap_or_default(),
    };
    Ok(StaticJob { plugin: job.plugin, job: job.name, schedule, rules })
}

/// Tenants of a server that the configuration does not name are refused with 503; the others are served.
async fn report_unknown_servers(inner: &Inner) -> Result<(), BootError> {
    let Some(servers) = &inner.runtime.database else { return Ok(()) };
    let mut unknown: HashMap<String, (TenantId, usize)> = HashMap::new();
    for record in inner.tenants.list().await? {
        if let Err(DatabaseError::UnknownServer { tenant, server }) =
            servers.at(&record.id, record.server.as_deref()).map(drop)
        {
            unknown.entry(server).or_insert((tenant, 0)).1 += 1;
        }
    }
    for (server, (tenant, tenants)) in unknown {
        error!(
            server,
            tenants,
            for_example = %tenant,
            "tenants are on a server that `services.database.servers` does not name, and are not served; name it there again"
        );
    }
    Ok(())
}

/// Migrates the tenants whose data is behind. One that cannot be migrated is refused with 503, unless what it has is served as well
/// (`tenancy.accept_older`); the others are served. Gives those whose server is waited for.
async fn bring_up_to_date(inner: &Inner) -> Result<Vec<TenantRecord>, BootError> {
    let is_awaited = |record: &TenantRecord| {
        let servers = inner.runtime.database.as_ref();
        servers.is_some_and(|servers| servers.is_awaited(record.server.as_deref()))
    };
    let (awaited, outdated): (Vec<_>, Vec<_>) =
        inner.tenants.outdated_records().await?.into_iter().partition(is_awaited);
    if outdated.is_empty() {
        return Ok(awaited);
    }
    let mut fitting = HashSet::new();
    for record in &outdated {
        if inner.runtime.admission.directory.fits(record).await.map_err(TenantError::from)? {
            fitting.insert(record.id);
        }
    }
    let outdated: Vec<TenantId> = outdated.into_iter().map(|record| record.id).collect();
    let total = outdated.len();
    info!(tenants = total, "migrating tenants");
    let mut failed = 0_usize;
    let mut migrated = std::pin::pin!(inner.tenants.migrate_all(outdated, MIGRATIONS_AT_ONCE));
    let mut done = 0_usize;
    while let Some((id, outcome)) = migrated.next().await {
        done += 1;
        if done.is_multiple_of(100) {
            info!(done, of = total, "migrating tenants");
        }
        match outcome {
            Err(problem) if fitting.contains(&id) => {
                warn!(tenant = %id, error = %chain(&problem), "the tenant cannot be migrated and is served as it is");
            }
            Err(problem) => {
                error!(tenant = %id, error = %chain(&problem), "the tenant cannot be migrated and is not served");
                failed += 1;
            }
            Ok(_) => {}
        }
    }
    if failed > 0 {
        warn!(
            tenants = failed,
            "some tenants are not served; mend the migration, run `migrate`, start again"
        );
    }
    Ok(awaited)
}
