//! How an app is set up and started from Rust.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use xcore_build::compat::{PluginNeeds, check_against};
use xcore_build::config::{Config, LoadOptions, Loaded};

use super::boot::{BootError, Extent, Own, boot};
use super::{AppDef, Instance, cli};
use crate::plugin::schema::SchemaDef;
use crate::plugin::{AnyPlugin, AppState};
use crate::tenancy::{Suspended, TenantSource, fits};

/// An app before it starts: which file it reads and what is set over it.
///
/// `App::builder()` of an [`app!`](macro@crate::app) gives one. The binary's `main` needs none of it: it calls
/// `App::run()`.
///
/// ```ignore
/// let app = App::builder().config_file("xcore.yaml").set("app.listen", "127.0.0.1:0").build().await?;
/// let router = app.router();
/// ```
#[must_use]
pub struct AppBuilder {
    pub(crate) plugins: fn() -> Vec<Box<dyn AnyPlugin>>,
    /// What `build.rs` read; several files are named with commas between them.
    name: &'static str,
    file: Option<PathBuf>,
    overlay: Option<String>,
    env: BTreeMap<String, String>,
    own: Own,
}

impl AppBuilder {
    /// The app that `app!` wrote down, with the environment of this process.
    pub fn new<A: AppDef>() -> Self {
        let env: BTreeMap<String, String> = std::env::vars_os()
            // A name or value that is not UTF-8 cannot be set over a key and cannot be named in a file.
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            plugins: A::plugins,
            name: A::Schema::FILE,
            file: env.get("XCORE_CONFIG").map(PathBuf::from),
            overlay: env.get("XCORE_ENV").cloned(),
            env,
            own: Own::default(),
        }
    }

    /// Reads this file instead of the one that is found by itself: `$XCORE_CONFIG`, `xcore.yaml` in the working folder, in the
    /// folder of the package when started by Cargo, or beside the binary.
    pub fn config_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Lays `xcore.NAME.yaml` over the file, instead of the one that `$XCORE_ENV` names.
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.overlay = Some(name.into());
        self
    }

    /// Sets a key over the file, as the variable `XCORE__SECTION__KEY` does: `set("app.listen", "127.0.0.1:0")`.
    pub fn set(mut self, key: &str, value: impl Into<String>) -> Self {
        let name = format!("XCORE__{}", key.replace('.', "__").to_ascii_uppercase());
        self.env.insert(name, value.into());
        self
    }

    /// Answers requests of suspended tenants: a page that says why, for example. It is given the tenant, the reason, and the
    /// headers of the request, whose `Accept` tells a browser from a program. Without it they get a problem document with status
    /// 403 and the member `reason`.
    ///
    /// ```ignore
    /// App::builder().suspended_page(|suspended, _headers| {
    ///     let why = suspended.reason.as_deref().unwrap_or("Please call us.");
    ///     (StatusCode::FORBIDDEN, Html(page(&suspended.id, why)))
    /// })
    /// ```
    pub fn suspended_page<R: IntoResponse>(
        mut self,
        page: impl Fn(&Suspended, &HeaderMap) -> R + Send + Sync + 'static,
    ) -> Self {
        let page = move |suspended: &Suspended, headers: &HeaderMap| page(suspended, headers).into_response();
        self.own.suspended_page = Some(Arc::new(page));
        self
    }

    /// Says what [`Tenant::settings`](crate::Tenant::settings) are read as. Then `tenancy.settings` must fit at the start, and a change
    /// of a tenant's settings that does not fit is refused and not kept. With `#[serde(deny_unknown_fields)]` a key that is
    /// misspelt is found as well.
    pub fn tenant_settings<T: DeserializeOwned>(mut self) -> Self {
        self.own.settings = Some(fits::<T>);
        self
    }

    /// Serves routes of your own beside those of the plugins. Contexts and [`Tenant`](crate::Tenant) are extractors there.
    ///
    /// A fallback of yours answers for every path that is nobody's, also below `app.prefix`: the page of a single-page app, for
    /// example. Without one that is a problem document with status 404. A path that is there, but not with the method of
    /// the request, is not a matter for the fallback: it is answered with 405.
    ///
    /// # Panics
    /// As axum's `merge` does: when two of the routers given here have a fallback, and, in [`AppBuilder::build`], when a path
    /// and method of yours is one of a plugin.
    pub fn routes(mut self, routes: Router<AppState>) -> Self {
        self.own.routes = Some(match self.own.routes {
            Some(others) => others.merge(routes),
            None => routes,
        });
        self
    }

    /// Asks a source of your own which tenant a request belongs to, where `custom` stands in `tenancy.sources`; after the others when
    /// that is not set. Several are asked in the order in which they are given.
    pub fn source(mut self, source: impl TenantSource) -> Self {
        self.own.sources.push(Arc::new(source));
        self
    }

    /// Starts the app: services, migrations, tenants that must exist, start hooks, jobs. It does not listen yet.
    ///
    /// # Errors
    /// When the configuration is wrong, a service is not available, or a hook fails.
    pub async fn build(self) -> Result<Instance, BootError> {
        let loaded = self.load()?;
        self.start(loaded, Extent::Serving).await
    }

    /// Runs the binary: parses the command line and does what it says; `serve` when it says nothing.
    pub fn run(self) -> ExitCode {
        cli::run(self)
    }

    pub(super) async fn start(self, loaded: Loaded, extent: Extent) -> Result<Instance, BootError> {
        boot((self.plugins)(), loaded, self.own, extent).await
    }

    /// Reads and checks the configuration, and compares it with what the binary was compiled against.
    pub(crate) fn load(&self) -> Result<Loaded, BootError> {
        let options = LoadOptions {
            file: self.file.clone().unwrap_or_else(|| self.find_file()),
            overlay: self.overlay.clone(),
            env: self.env.clone(),
        };
        let loaded = Config::load(&options).map_err(|problems| BootError::Config { problems })?;
        check_against_binary(&(self.plugins)(), &loaded.config)?;
        Ok(loaded)
    }

    fn find_file(&self) -> PathBuf {
        let exists = |file: &Path| {
            file.to_str()
                .and_then(|files| files.split(',').next())
                .is_some_and(|first| Path::new(first).exists())
        };
        let here = PathBuf::from(self.name);
        if exists(&here) {
            return here;
        }
        let of_package = self.env.get("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let beside_binary = std::env::current_exe().ok().and_then(|binary| Some(binary.parent()?.to_owned()));
        let folders = [of_package, beside_binary].into_iter().flatten();
        folders.map(|folder| folder.join(self.name)).find(|file| exists(file)).unwrap_or(here)
    }
}

/// Compares the configuration with what the plugins need: the file may have changed since the build, and an app without a
/// build script was never compared.
fn check_against_binary(plugins: &[Box<dyn AnyPlugin>], config: &Config) -> Result<(), BootError> {
    let services: Vec<(&'static str, Vec<&'static str>)> = plugins
        .iter()
        .map(|plugin| {
            let facts = plugin.facts();
            let declared = facts.services.iter().map(|service| service.as_str());
            let for_jobs = (!facts.jobs.is_empty()).then_some("scheduler");
            (facts.name, declared.chain(for_jobs).collect())
        })
        .collect();
    let needs: Vec<PluginNeeds<'_>> =
        services.iter().map(|(name, services)| PluginNeeds { name, services }).collect();
    check_against(&needs, config).map_err(|problems| BootError::Config { problems })
}
