//! The configuration that the runtime works with: every key typed, every default filled in, every variable
//! resolved.
//!
//! ```
//! use xcore_build::config::{Config, LoadOptions};
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("xcore.yaml"), "app: { name: shop }\nservices: { cache: {} }\n")?;
//! let options = LoadOptions {
//!     file: folder.path().join("xcore.yaml"),
//!     overlay: None,
//!     env: [("XCORE__APP__REQUEST_TIMEOUT".to_owned(), "5s".to_owned())].into(),
//! };
//! let loaded = Config::load(&options)?;
//! assert_eq!(loaded.config.app.request_timeout.as_secs(), 5);
//! assert_eq!(loaded.config.services.cache.map(|cache| cache.capacity), Some(64 << 20));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod app;
mod check;
mod complete;
mod contradictions;
mod contradictory_plans;
mod contradictory_sources;
mod deserialize;
mod keys;
mod layout;
mod load;
mod placement;
mod plan;
mod plugin;
mod services;
mod sources;
mod tenancy;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use app::App;
pub use load::{LoadOptions, Loaded};
pub use plan::Plan;
pub use plugin::{Grant, Plugin};
pub use services::{
    Cache, CacheBackend, CacheCodec, Database, DatabaseServer, DatabaseUrl, OnFailure, Pooler, Scheduler,
    SchedulerBackend, Services,
};
pub use sources::{Algorithm, ApiKey, Hidden, Jwt, Source};
pub use tenancy::{DbRole, Directory, Tenancy};

pub(crate) use check::examine;
pub(crate) use complete::complete;
pub(crate) use keys::check_keys;
pub(crate) use layout::{Item, LAYOUT, key_at};

use crate::yaml::Node;

/// A whole, checked configuration.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// `app`
    pub app: App,
    /// `services`: those that are configured.
    pub services: Services,
    /// `tenancy`
    pub tenancy: Tenancy,
    /// `tenancy.jwt`
    pub jwt: Option<Jwt>,
    /// `tenancy.api_key`
    pub api_key: Option<ApiKey>,
    /// `tenancy.plans`, by name.
    pub plans: BTreeMap<String, Plan>,
    /// `plugins`, by name.
    pub plugins: BTreeMap<String, Plugin>,
    /// The folder of the configuration file; relative paths in it are below this one.
    pub folder: PathBuf,
    /// The tree that all of this was read from.
    pub(crate) tree: Node,
}

impl Config {
    /// The folder that holds the tenants' databases, absolute when [`Config::folder`] is. `None` without a
    /// database, and when a server holds them.
    #[must_use]
    pub fn database_folder(&self) -> Option<PathBuf> {
        let database = self.services.database.as_ref()?;
        database.url.as_ref()?.folder().map(|folder| self.folder.join(folder))
    }

    /// Where the value of a dotted key was set: `xcore.production.yaml:3:5`, `environment variable
    /// XCORE__APP__LISTEN` or `default`. `None` when no such key is set.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<String> {
        self.tree.find(key).map(|node| node.origin.display())
    }

    /// The folder that relative paths are below, for a configuration file.
    pub(crate) fn folder_of(file: &Path) -> PathBuf {
        match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }
}
