//! What `build.rs` found in `xcore.yaml`, as types and constants that `app!` can prove things with.
//!
//! `xcore_build` writes the implementations, `app!` includes them. None of this exists at run time.

/// A service that a plugin can declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceName {
    /// The tenant's database, `ctx.db`.
    Db,
    /// The tenant's cache, `ctx.cache`.
    Cache,
    /// The tenant's scheduler, `ctx.scheduler`.
    Scheduler,
    /// What belongs to no tenant, `ctx.central`.
    Central,
}

impl ServiceName {
    /// As it stands in `services(..)`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Db => "db",
            Self::Cache => "cache",
            Self::Scheduler => "scheduler",
            Self::Central => "central",
        }
    }
}

impl std::fmt::Display for ServiceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The services as types.
pub mod services {
    /// The tenant's database.
    #[derive(Debug)]
    pub enum Db {}
    /// The tenant's cache.
    #[derive(Debug)]
    pub enum Cache {}
    /// The tenant's scheduler.
    #[derive(Debug)]
    pub enum Scheduler {}
    /// What belongs to no tenant.
    #[derive(Debug)]
    pub enum Central {}
}

/// Proof that `xcore.yaml` configures a service, or grants it to some plugin.
#[diagnostic::on_unimplemented(
    message = "xcore.yaml does not configure the service `{Service}`",
    label = "not configured",
    note = "add it under `services:` in xcore.yaml"
)]
pub trait Provides<Service> {}

/// The rest of what is known about `xcore.yaml`.
pub trait SchemaDef {
    /// The file as `build.rs` named it.
    const FILE: &'static str;
    /// The package whose `build.rs` read it.
    const PACKAGE: &'static str;
    /// The version of this format.
    const FORMAT: u32;
    /// Nothing is known, so nothing is refused: there is no build script, or the file was wrong and the build has said so.
    const PERMISSIVE: bool;
    /// The plugins that it lists, by name.
    const PLUGINS: &'static [PluginEntry];
    /// Line and column of `services.database.url`, from 1, when it names a PostgreSQL server. `None` also for an address
    /// that is known at the start only.
    const POSTGRES: Option<(u32, u32)> = None;
    /// Line and column of `services.cache.backend`, from 1, when it names a Redis server. `None` also for one that is known at the
    /// start only.
    const REDIS: Option<(u32, u32)> = None;
    /// Line and column of `tenancy.jwt`, from 1.
    const JWT: Option<(u32, u32)> = None;
    /// Line and column of `tenancy.jwt.jwks_url`, from 1.
    const JWKS_URL: Option<(u32, u32)> = None;
}

/// One entry of `plugins` in `xcore.yaml`.
#[derive(Debug, Clone, Copy)]
pub struct PluginEntry {
    /// Its name.
    pub name: &'static str,
    /// Line of its name, from 1.
    pub line: u32,
    /// Column of its name, from 1.
    pub column: u32,
    /// What it may use beyond its own tenant.
    pub grants: &'static [&'static str],
    /// The top-level keys of its `config`.
    pub config: &'static [ConfigKey],
}

/// A key of a plugin's `config`.
#[derive(Debug, Clone, Copy)]
pub struct ConfigKey {
    /// The key.
    pub name: &'static str,
    /// What kind of value it has.
    pub kind: Kind,
    /// Line of the key, from 1.
    pub line: u32,
    /// Column of the key, from 1.
    pub column: u32,
    /// The value, when it is a whole number.
    pub integer: Option<i128>,
}

/// The kind of a value in `xcore.yaml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// A number with a fraction or an exponent.
    Float,
    /// A text.
    Text,
    /// A list.
    List,
    /// A map.
    Map,
    /// Holds `${VAR}`: what it is, is known when the app starts.
    Variable,
}

/// The schema of a package without a build script: nothing is known, so nothing is refused.
#[derive(Debug)]
pub enum NoSchema {}

impl<Service> Provides<Service> for NoSchema {}

impl SchemaDef for NoSchema {
    const FILE: &'static str = "xcore.yaml";
    const PACKAGE: &'static str = "";
    const FORMAT: u32 = 1;
    const PERMISSIVE: bool = true;
    const PLUGINS: &'static [PluginEntry] = &[];
}
