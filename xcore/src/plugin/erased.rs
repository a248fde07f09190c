//! Plugins as the app holds them: without their type.

use std::any::{Any, TypeId};
use std::marker::PhantomData;
use std::sync::Arc;

use axum::routing::MethodRouter;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::supervisor::{Call, supervise};
use super::{
    ActionEntry, ActionSpec, FieldSpec, Hooks, JobEntry, JobSpec, Mounted, Plugin, PluginActions,
    PluginConfig, PluginContext, Requirement, RunJob, Runtime, ServiceName,
};
use crate::db::Migrations;
use crate::error::{Error, Result};
use crate::scheduler::JobRun;
use crate::tenancy::Tenant;

/// What an app knows of a plugin without making it.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields are those of `Plugin` and `PluginActions`")]
pub struct Facts {
    pub type_id: TypeId,
    pub name: &'static str,
    pub version: &'static str,
    pub path: &'static str,
    pub services: &'static [ServiceName],
    pub requires: &'static [Requirement],
    pub actions: &'static [ActionSpec],
    pub jobs: &'static [JobSpec],
    pub config_fields: &'static [FieldSpec],
}

/// A plugin that `app!` names, before it is mounted.
pub trait AnyPlugin: Send + Sync {
    /// What it says of itself.
    fn facts(&self) -> Facts;
    /// The migrations of each tenant's database.
    fn migrations(&self) -> Option<Migrations>;
    /// The migrations of the shared database.
    fn shared_migrations(&self) -> Option<Migrations>;
    /// The JSON Schema of its section of `xcore.yaml`.
    fn config_schema(&self) -> serde_json::Value;
    /// Makes the instance.
    ///
    /// # Errors
    /// When its section of `xcore.yaml` does not fit its config type.
    fn mount(
        &self,
        runtime: Arc<Runtime>,
        slot: usize,
        config: &SectionReader<'_>,
    ) -> Result<MountedPlugin, SectionError>;
}

/// Reads the section of a plugin out of the loaded configuration.
pub struct SectionReader<'a>(pub(crate) &'a xcore_build::config::Config);

/// Why a plugin's section does not fit its config type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SectionError {
    /// The plugin is compiled in and not in `xcore.yaml`.
    #[error(
        "plugin `{plugin}` is compiled in, but `plugins` in xcore.yaml does not list it; add `{plugin}: {{}}`"
    )]
    Missing {
        /// The plugin.
        plugin: &'static str,
    },
    /// A key that the config type does not have.
    #[error(
        "`plugins.{plugin}.config` has the key `{key}`, which the plugin does not know; it knows: {known}"
    )]
    UnknownKey {
        /// The plugin.
        plugin: &'static str,
        /// The key.
        key: String,
        /// The keys of the config type.
        known: String,
    },
    /// A value that does not fit.
    #[error("{problem}")]
    Value {
        /// Which and why.
        problem: xcore_build::Problem,
    },
}

impl SectionReader<'_> {
    fn read<P: Plugin>(&self) -> Result<P::Config, SectionError> {
        let section = self.0.plugins.get(P::NAME).ok_or(SectionError::Missing { plugin: P::NAME })?;
        let fields = P::Config::FIELDS;
        let unknown = section
            .config
            .as_object()
            .and_then(|keys| keys.keys().find(|key| !fields.iter().any(|field| field.name == key.as_str())));
        if let Some(key) = unknown {
            let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(SectionError::UnknownKey { plugin: P::NAME, key: key.clone(), known });
        }
        section.plugin_config().map_err(|problem| SectionError::Value { problem })
    }
}

/// A plugin in a running app.
pub struct MountedPlugin(pub(crate) Arc<dyn AnyMounted>);

/// Makes the type-free form of a plugin, for `app!`.
#[must_use]
pub fn any_plugin<P: PluginActions>() -> Box<dyn AnyPlugin> {
    Box::new(Erased(PhantomData::<fn() -> P>))
}

struct Erased<P>(PhantomData<fn() -> P>);

impl<P: PluginActions> AnyPlugin for Erased<P> {
    fn facts(&self) -> Facts {
        Facts {
            type_id: TypeId::of::<P>(),
            name: P::NAME,
            version: P::VERSION,
            path: P::PATH,
            services: P::SERVICES,
            requires: P::REQUIRES,
            actions: P::ACTIONS,
            jobs: P::JOBS,
            config_fields: P::Config::FIELDS,
        }
    }

    fn migrations(&self) -> Option<Migrations> {
        P::migrations()
    }

    fn shared_migrations(&self) -> Option<Migrations> {
        P::shared_migrations()
    }

    fn config_schema(&self) -> serde_json::Value {
        P::Config::json_schema()
    }

    fn mount(
        &self,
        runtime: Arc<Runtime>,
        slot: usize,
        config: &SectionReader<'_>,
    ) -> Result<MountedPlugin, SectionError> {
        let config = config.read::<P>()?;
        Ok(MountedPlugin(Arc::new(Live {
            mounted: Arc::new(Mounted::new(P::create(), config, runtime, slot)),
            jobs: P::jobs(),
            hooks: P::hooks(),
        })))
    }
}

/// The hooks that belong to the app, not to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppHook {
    Start,
    Stop,
}

/// The hooks that belong to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TenantHook {
    Created,
    Deleted,
}

impl TenantHook {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "tenant_created",
            Self::Deleted => "tenant_deleted",
        }
    }
}

/// A plugin in a running app, without its type.
pub(crate) trait AnyMounted: Send + Sync {
    fn name(&self) -> &'static str;
    /// The routes of its actions, internal ones too.
    fn routes(&self) -> Vec<(&'static ActionSpec, MethodRouter)>;
    /// Runs a job as a tenant, or as the app; `None` when there is no such job.
    fn run_job(&self, run: &JobRun, tenant: Option<Tenant>) -> Option<BoxFuture<'static, Result<()>>>;
    fn app_hook(&self, hook: AppHook) -> BoxFuture<'static, Result<()>>;
    fn tenant_hook(&self, hook: TenantHook, tenant: Tenant) -> BoxFuture<'static, Result<()>>;
    /// The `Mounted<P>` itself, for typed calls.
    fn typed(&self) -> Arc<dyn Any + Send + Sync>;
}

struct Live<P: Plugin> {
    mounted: Arc<Mounted<P>>,
    jobs: Vec<JobEntry<P>>,
    hooks: Hooks<P>,
}

impl<P: PluginActions> AnyMounted for Live<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn routes(&self) -> Vec<(&'static ActionSpec, MethodRouter)> {
        P::actions()
            .into_iter()
            .map(|ActionEntry { spec, route }| (spec, route(Arc::clone(&self.mounted))))
            .collect()
    }

    fn run_job(&self, run: &JobRun, tenant: Option<Tenant>) -> Option<BoxFuture<'static, Result<()>>> {
        let entry = self.jobs.iter().find(|entry| entry.spec.name == run.call.job)?;
        let (mounted, limit) = (Arc::clone(&self.mounted), run.timeout);
        let call = Call::of_job(entry.spec, run);
        let arguments = run.call.arguments.clone();
        // A job of the app never runs as a tenant, and none of a tenant without one.
        let running = match (&entry.run, tenant) {
            (RunJob::Tenant(method), Some(tenant)) => {
                let method = *method;
                async move {
                    let context = P::Context::new(&mounted, tenant);
                    supervised(call, limit, method(mounted, context, arguments)).await
                }
                .boxed()
            }
            (RunJob::App(method), None) => {
                let method = *method;
                async move { supervised(call, limit, method(mounted)).await }.boxed()
            }
            _ => return None,
        };
        Some(running)
    }

    fn app_hook(&self, hook: AppHook) -> BoxFuture<'static, Result<()>> {
        let (run, name) = match hook {
            AppHook::Start => (self.hooks.start, "start"),
            AppHook::Stop => (self.hooks.stop, "stop"),
        };
        let Some(run) = run else { return std::future::ready(Ok(())).boxed() };
        let mounted = Arc::clone(&self.mounted);
        async move { supervised(Call::of_hook(P::NAME, name), None, run(mounted)).await }.boxed()
    }

    fn tenant_hook(&self, hook: TenantHook, tenant: Tenant) -> BoxFuture<'static, Result<()>> {
        let run = match hook {
            TenantHook::Created => self.hooks.tenant_created,
            TenantHook::Deleted => self.hooks.tenant_deleted,
        };
        let Some(run) = run else { return std::future::ready(Ok(())).boxed() };
        let mounted = Arc::clone(&self.mounted);
        async move {
            let context = P::Context::new(&mounted, tenant);
            supervised(Call::of_hook(P::NAME, hook.as_str()), None, run(mounted, context)).await
        }
        .boxed()
    }

    fn typed(&self) -> Arc<dyn Any + Send + Sync> {
        Arc::<Mounted<P>>::clone(&self.mounted)
    }
}

async fn supervised(
    call: Call,
    limit: Option<std::time::Duration>,
    work: BoxFuture<'static, Result<()>>,
) -> Result<()> {
    supervise(call, limit, work).await.unwrap_or_else(|stopped| Err::<(), Error>(stopped.answer()))
}
