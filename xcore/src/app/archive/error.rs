//! Why a tenant could not be exported, imported or cloned.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::FORMAT;
use crate::tenancy::{State, TenantId};

/// Why a tenant could not be exported, imported or cloned. Nothing was made, or it is undone.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// Only whole tenants have something to copy.
    #[error("tenant `{id}` is {state}; only one that is active or suspended can be exported or cloned")]
    NotWhole {
        /// The tenant.
        id: TenantId,
        /// Its state.
        state: State,
    },
    /// The app has no database.
    #[error("this app has no database (`services.database`), so there is nothing to export, import or clone")]
    NoDatabase,
    /// There is a file already.
    #[error("there is a file `{}` already; name another one, or remove it", path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    File {
        /// Read or write.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The file is something else.
    #[error("`{}` is no archive of a tenant, or its beginning is damaged", path.display())]
    NotAnArchive {
        /// The file.
        path: PathBuf,
    },
    /// Another version has written it.
    #[error(
        "`{}` has the format {found:?}, and this program reads format {FORMAT}; import it with a version of xcore that reads it", path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says of itself.
        found: String,
    },
    /// It is not as it was written.
    #[error("the archive `{}` is damaged: {member} {problem}; take another copy of it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The part of it.
        member: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It is as it was written, and cannot have been written so by an export.
    #[error("{member} of the archive `{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The part of it.
        member: &'static str,
        /// What is wrong with it.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// The rows of one kind of database do not fit another one.
    #[error(
        "the rows are those of {from}, and this app keeps its tenants on {to}; import them into an app on {from}"
    )]
    OtherDatabase {
        /// The kind of database that they come from.
        from: String,
        /// The kind that this app has.
        to: String,
    },
    /// The data comes from a later version of a plugin.
    #[error(
        "the data has migrations of plugin `{plugin}` that this program does not know ({}); import it with the version that made them, or a later one", names.join(", ")
    )]
    Newer {
        /// The plugin.
        plugin: String,
        /// The names of the migrations.
        names: Vec<String>,
    },
    /// The data comes from a plugin that this app does not have.
    #[error("the data has tables of plugin `{plugin}` (migrations {}), which this app does not have", names.join(", "))]
    NoPlugin {
        /// The plugin.
        plugin: String,
        /// The names of its migrations.
        names: Vec<String>,
    },
    /// A job of the tenant cannot be one here.
    #[error("a job of the tenant cannot be added here")]
    Job {
        /// Why.
        #[source]
        source: Arc<crate::scheduler::SchedulerError>,
    },
    /// The tenant has jobs, and this app runs none.
    #[error("the tenant has {jobs} jobs, and this app has no scheduler (`services.scheduler`)")]
    NoScheduler {
        /// How many.
        jobs: usize,
    },
    /// Tables were changed by something else than migrations.
    #[error(
        "the tables of tenant `{id}` are not those that the migrations make, so no app could take its rows: {}; put into a migration what is missing there, or drop it",
        differences.join("; ")
    )]
    Differs {
        /// The tenant.
        id: TenantId,
        /// What differs.
        differences: Vec<String>,
    },
    /// The runtime shuts down, or the other end has given up.
    #[error("it was cut short")]
    CutShort,
}

impl ArchiveError {
    pub(super) fn file(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { doing, path: path.to_owned(), source: Arc::new(source) }
    }

    pub(super) fn damaged(path: &Path, member: impl Into<String>, problem: &'static str) -> Self {
        Self::Damaged { path: path.to_owned(), member: member.into(), problem }
    }
}
