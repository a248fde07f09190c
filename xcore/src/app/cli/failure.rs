//! Why a command failed, and the exit code that tells a script.

use std::io;
use std::process::ExitCode;

use crate::app::{ArchiveError, BootError, ServeError, TenantError};
use crate::error::Error;
use crate::plugin::chain;
use crate::tenancy::{StoreError, TenancyError, TenantId};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Boot(#[from] BootError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Tenant(#[from] TenantError),
    #[error(transparent)]
    Tenancy(#[from] TenancyError),
    #[error("the arguments are no JSON: {source}; write them in one pair of quotes, such as '{{\"id\": 1}}'")]
    Arguments { source: serde_json::Error },
    #[error("{error}")]
    Action { error: Error },
    #[error("`{text}` is no change; write KEY=VALUE, such as plan=pro, settings.max_lines=5 or region=eu")]
    Change { text: String },
    #[error("name a tenant with --tenant; this app has no default tenant")]
    NoTenant,
    #[error("not deleted: answer `yes`, or give --yes")]
    NotConfirmed,
    #[error(
        "{} of {tenants} tenants could not be migrated: {}; the others are up to date, and the next run goes on with these",
        failed.len(),
        some(failed)
    )]
    Migrations { failed: Vec<TenantId>, tenants: usize },
    #[error("{} of {tenants} tenants could not be migrated as they are: {}", failed.len(), some(failed))]
    NotMigratable { failed: Vec<TenantId>, tenants: usize },
    #[error(
        "{failed} of the {canaries} tenants that go first could not be migrated, so the other {left} were left as they are; mend the \
         migration and run `migrate` again"
    )]
    Canary { failed: usize, canaries: usize, left: usize },
    #[error(
        "the server that runs beside this command has not finished it within {seconds} s; look at its log"
    )]
    NotFinished { seconds: u64 },
    #[error(
        "the server that runs beside this command could not rename `{id}` to `{to}`, which has its old name; look at its log"
    )]
    NotRenamed { id: TenantId, to: TenantId },
    /// Said already; only the code is left to give.
    #[error("something is left to do")]
    LeftToDo,
    #[error("cannot write to the terminal")]
    Output(#[from] io::Error),
    #[error(transparent)]
    Print(#[from] xcore_build::EmitError),
    #[error("cannot start the runtime")]
    Runtime { source: io::Error },
}

/// The names of tenants, of many only the first ones.
fn some(tenants: &[TenantId]) -> String {
    const SHOWN: usize = 20;
    let names: Vec<&str> = tenants.iter().take(SHOWN).map(TenantId::as_str).collect();
    let more = tenants.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", names.join(", "))
}

impl Failure {
    /// Says it on the error stream and gives the exit code.
    pub(super) fn report(&self) -> ExitCode {
        let is_said = matches!(self, Self::LeftToDo)
            // The reader went away, as in `routes | head`.
            || matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe);
        if !is_said {
            let text = match self {
                Self::Boot(BootError::Config { problems }) => problems.to_string(),
                other => format!("error: {}", chain(other)),
            };
            // Nobody is left to tell when this fails.
            let _ = io::Write::write_all(&mut io::stderr(), format!("{text}\n").as_bytes());
        }
        ExitCode::from(self.code())
    }

    fn code(&self) -> u8 {
        match self {
            Self::Arguments { .. } | Self::Change { .. } | Self::NoTenant | Self::NotConfirmed => 2,
            Self::Tenant(TenantError::Directory { source: StoreError::Profile { .. } }) => 2,
            Self::Boot(
                BootError::Config { .. }
                | BootError::Section { .. }
                | BootError::Header { .. }
                | BootError::OwnSource { .. }
                | BootError::PathTaken { .. }
                | BootError::NotBuilt { .. }
                | BootError::TokenKeys { .. }
                | BootError::Tenant { .. }
                | BootError::Settings { .. }
                | BootError::Job { .. },
            ) => 3,
            Self::Tenant(
                TenantError::Name { .. }
                | TenantError::Public
                | TenantError::IsDefault { .. }
                | TenantError::Domain { .. }
                | TenantError::DomainBelowBase { .. }
                | TenantError::NoServer { .. }
                | TenantError::BegunElsewhere { .. },
            ) => 2,
            Self::Tenant(TenantError::Directory {
                source:
                    StoreError::NotFound { .. } | StoreError::NoSuchKey { .. } | StoreError::NoSuchDomain { .. },
            })
            | Self::Tenancy(TenancyError::Unknown) => 4,
            Self::Action { error } if error.status() == axum::http::StatusCode::NOT_FOUND => 4,
            Self::Tenant(TenantError::Archive { source: ArchiveError::FileExists { .. } }) => 5,
            Self::Tenant(TenantError::Directory {
                source:
                    StoreError::Exists { .. } | StoreError::SoftDeleted { .. } | StoreError::DomainTaken { .. },
            }) => 5,
            Self::LeftToDo => 6,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            _ => 1,
        }
    }
}
