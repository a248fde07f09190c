//! A plugin's migrations and what became of them.

use std::fmt;
use std::sync::Arc;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// The migrations of one plugin.
///
/// Each plugin's applied migrations are kept in a table of its own in the database that they were applied to:
/// `xcore_migrations_PLUGIN`, and `xcore_shared_migrations_PLUGIN` for those of the shared database. Two plugins may so
/// use equal names. The migrator's own `migration_table_name` is not used.
///
/// Each migration runs in a transaction together with its record, so a migration that fails or is killed leaves
/// nothing, and the next run goes on with it. A migration whose
/// [`use_transaction`](MigrationTrait::use_transaction) is `Some(false)` runs without one.
#[derive(Clone)]
pub struct Migrations {
    pub(crate) plugin: &'static str,
    pub(crate) list: fn() -> Vec<Box<dyn MigrationTrait>>,
    /// Of the list those of these names alone; `None`: all.
    pub(crate) chosen: Option<Arc<[String]>>,
}

impl Migrations {
    /// The migrations of `M`, belonging to `plugin`.
    ///
    /// ```
    /// use sea_orm_migration::prelude::*;
    /// use xcore::db::Migrations;
    ///
    /// struct Migrator;
    ///
    /// impl MigratorTrait for Migrator {
    ///     fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    ///         Vec::new()
    ///     }
    /// }
    ///
    /// assert_eq!(Migrations::of::<Migrator>("orders").plugin(), "orders");
    /// ```
    #[must_use]
    pub fn of<M: MigratorTrait>(plugin: &'static str) -> Self {
        Self { plugin, list: M::migrations, chosen: None }
    }

    /// Those of these names alone.
    pub(crate) fn only(&self, names: &[String]) -> Self {
        Self { chosen: Some(names.into()), ..self.clone() }
    }

    /// The migrations, in order.
    pub(crate) fn all(&self) -> Vec<Box<dyn MigrationTrait>> {
        let mut all = (self.list)();
        if let Some(chosen) = &self.chosen {
            all.retain(|migration| chosen.iter().any(|name| name == migration.name()));
        }
        all
    }

    /// The plugin's name.
    #[must_use]
    pub fn plugin(&self) -> &'static str {
        self.plugin
    }
}

impl fmt::Debug for Migrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrations").field("plugin", &self.plugin).finish_non_exhaustive()
    }
}

/// Which migrations were applied, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationReport {
    /// One entry for each plugin that had something to apply, in the order given.
    pub plugins: Vec<PluginMigrations>,
}

/// The migrations of one plugin in a [`MigrationReport`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginMigrations {
    /// The plugin's name.
    pub plugin: &'static str,
    /// The names of its migrations, in the order of their application.
    pub names: Vec<String>,
}

impl MigrationReport {
    /// Whether nothing was, or is, to be applied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plugins.is_empty()
    }

    /// How many migrations it names.
    #[must_use]
    pub fn count(&self) -> usize {
        self.plugins.iter().map(|plugin| plugin.names.len()).sum()
    }

    pub(crate) fn add(&mut self, plugin: &'static str, names: Vec<String>) {
        if !names.is_empty() {
            self.plugins.push(PluginMigrations { plugin, names });
        }
    }
}
