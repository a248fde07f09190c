//! Write a SaaS backend as if it had one customer.
//!
//! A plugin is a struct under [`#[xcore::plugin]`](macro@plugin); its methods under [`#[action]`](macro@action) are
//! what HTTP, other plugins, jobs and the command line can call. Each call gets a context whose database, cache and
//! scheduler already belong to the tenant of the request. What is wrong with a plugin or with `xcore.yaml` is a
//! compiler error at the token that is wrong.
#![doc = include_str!("docs/tour.md")]

pub mod app;
pub mod cache;
pub mod db;
mod error;
mod faults;
mod http;
mod observe;
mod plugin;
pub mod prelude;
pub mod scheduler;
pub mod tenancy;
#[cfg(feature = "testing")]
pub mod testing;

pub use app::{AppBuilder, Instance};
pub use error::{Error, Result};
pub use plugin::{AnyContext, AppContext, AppState, Central, Plugin, PluginConfig, PluginContext};
pub use tenancy::{Tenant, TenantId};

#[doc = include_str!("docs/plugin.md")]
pub use xcore_macros::plugin;

#[doc = include_str!("docs/action.md")]
pub use xcore_macros::action;

#[doc = include_str!("docs/job.md")]
pub use xcore_macros::job;

#[doc = include_str!("docs/on.md")]
pub use xcore_macros::on;

#[doc = include_str!("docs/app.md")]
pub use xcore_macros::app;

#[doc = include_str!("docs/config.md")]
pub use xcore_macros::PluginConfig;

pub use async_trait::async_trait;
pub use {axum, sea_orm, sea_orm_migration, serde, serde_json};

/// What generated code names. Not for people: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::app::AppDef;
    pub use crate::plugin::proof;
    pub use crate::plugin::schema;
    pub use crate::plugin::schema::services;
    pub use crate::plugin::*;
    pub use crate::scheduler::{JobArguments, JobCall, Misfire, Overlap, Per, Retries};
    pub use futures_util::future::BoxFuture;
}
