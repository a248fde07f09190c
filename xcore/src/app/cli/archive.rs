//! `tenant export`, `import` and `clone`.

use std::io::{self, Write};

use super::arguments::TenantCommand;
use super::failure::Failure;
use super::tenant::parse;
use crate::app::{BootError, Instance, Transferred};

pub(super) async fn archive(
    app: &Instance,
    command: TenantCommand,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let tenants = app.tenants();
    match command {
        TenantCommand::Export { name, to } => {
            let done = tenants.export(&parse(&name)?, &to).await?;
            writeln!(out, "exported {} to {}: {}", done.tenant, to.display(), counts(&done))?;
        }
        TenantCommand::Import { file, name, server } => {
            let name = name.as_deref().map(parse).transpose()?;
            migrate_shared(app).await?;
            let done = tenants.import(&file, name.as_ref(), server.as_deref()).await?;
            writeln!(out, "imported {}: {}", done.tenant, counts(&done))?;
            warn_of_jobs(&done)?;
        }
        TenantCommand::Clone { from, to, server } => {
            let (from, to) = (parse(&from)?, parse(&to)?);
            migrate_shared(app).await?;
            let done = tenants.clone_to(&from, &to, server.as_deref()).await?;
            writeln!(out, "cloned {from} to {to}: {}", counts(&done))?;
            warn_of_jobs(&done)?;
        }
        _ => {}
    }
    Ok(())
}

/// The rows of a tenant may name those that all share, and no server may have run yet.
async fn migrate_shared(app: &Instance) -> Result<(), Failure> {
    app.migrate_shared().await.map_err(|source| BootError::Database { source })?;
    Ok(())
}

fn counts(done: &Transferred) -> String {
    let Transferred { tables, rows, jobs, .. } = done;
    let jobs = if *jobs == 0 { String::new() } else { format!(", {jobs} jobs") };
    format!("{rows} rows of {tables} tables{jobs}")
}

/// The jobs of this process end with it.
fn warn_of_jobs(done: &Transferred) -> io::Result<()> {
    if done.jobs == 0 {
        return Ok(());
    }
    writeln!(
        io::stderr(),
        "warning: jobs that are added at run time are in the memory of the process that runs them, and this one ends now; call \
         `Tenants::import` or `Tenants::clone_to` in the server to keep them"
    )
}
