//! An app: its plugins and services, started from `xcore.yaml`, served over HTTP and operated from the command line.
//!
#![doc = include_str!("../docs/archive.md")]

mod archive;
mod boot;
mod builder;
mod cached;
mod claimed;
mod cli;
mod credentials;
mod definition;
mod deletion;
mod directory_columns;
mod directory_credentials;
mod directory_migrations;
mod directory_rename;
mod directory_soft;
mod directory_table;
mod directory_versions;
mod existence;
mod fleet;
mod instance;
mod jobs;
mod lifecycle;
mod order;
mod outbox;
mod rename;
mod serve;
mod settings;
mod sources;
mod spares;
mod tenant_error;
mod tenants;
mod watch;

pub use archive::{ArchiveError, Transferred};
pub use boot::BootError;
pub use builder::AppBuilder;
pub use credentials::NewApiKey;
pub use definition::AppDef;
pub use directory_credentials::{ApiKeyRecord, DomainRecord};
pub use instance::Instance;
pub use serve::ServeError;
pub use tenant_error::TenantError;
pub use tenants::Tenants;
