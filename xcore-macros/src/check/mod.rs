//! What can be wrong, one kind per file. Each check names the ui case that fails when the check is deleted.

pub(crate) mod clash;
pub(crate) mod config;
pub(crate) mod cron;
pub(crate) mod duration;
pub(crate) mod options;
pub(crate) mod path_arguments;
pub(crate) mod plugin;
pub(crate) mod route;
pub(crate) mod scope;
pub(crate) mod services;
pub(crate) mod signature;
