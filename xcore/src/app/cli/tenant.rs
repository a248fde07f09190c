//! `tenant`: creates, lists and deletes, and what belongs to a tenant.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use super::arguments::TenantCommand;
use super::credentials;
use super::failure::Failure;
use crate::app::{BootError, Instance, TenantError};
use crate::db::DatabaseError;
use crate::tenancy::TenantId;

/// How long a server that runs beside may take to finish a deletion.
const SERVER_FINISHES: Duration = Duration::from_secs(15);

pub(super) async fn tenant(
    app: &Instance,
    command: TenantCommand,
    out: &mut impl Write,
) -> Result<(), Failure> {
    match command {
        TenantCommand::Create { names, server } => {
            // All names are read before the first is created.
            let ids = names.iter().map(|name| parse(name)).collect::<Result<Vec<_>, _>>()?;
            // The hooks of a new tenant may read what all tenants share, and no server may have run yet.
            app.migrate_shared().await.map_err(|source| BootError::Database { source })?;
            for (position, id) in ids.iter().enumerate() {
                match &server {
                    Some(server) => app.tenants().create_on(id, server).await?,
                    None => app.tenants().create(id).await?,
                }
                writeln!(out, "[{}/{}] created {id}", position + 1, ids.len())?;
            }
        }
        TenantCommand::List => {
            for record in app.tenants().list().await? {
                let state = record.state.as_str();
                match &record.server {
                    Some(server) => writeln!(out, "{:<24} {state:<13} {server}", record.id)?,
                    None => writeln!(out, "{:<24} {state}", record.id)?,
                }
            }
        }
        TenantCommand::Delete { name, yes } => {
            let id = parse(&name)?;
            if !yes && !is_confirmed(&id)? {
                return Err(Failure::NotConfirmed);
            }
            delete(app, &id).await?;
            writeln!(out, "deleted {id}")?;
        }
        TenantCommand::Domain(command) => credentials::domain(app, command, out).await?,
        TenantCommand::Key(command) => credentials::key(app, command, out).await?,
    }
    Ok(())
}

pub(super) fn parse(name: &str) -> Result<TenantId, TenantError> {
    TenantId::parse(name).map_err(|source| TenantError::Name { name: name.to_owned(), source })
}

fn is_confirmed(id: &TenantId) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    write!(io::stderr(), "Delete tenant `{id}` and all of its data for good? Type `yes`: ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// A server that runs beside holds the tenant's files. It sees the mark in the directory within a second and finishes.
async fn delete(app: &Instance, id: &TenantId) -> Result<(), Failure> {
    match app.tenants().delete(id).await {
        Err(TenantError::Data { source: DatabaseError::Served { .. }, .. }) => {}
        done => return Ok(done?),
    }
    let deadline = tokio::time::Instant::now() + SERVER_FINISHES;
    while app.tenants().list().await?.iter().any(|record| record.id == *id) {
        if tokio::time::Instant::now() >= deadline {
            return Err(Failure::NotFinished { seconds: SERVER_FINISHES.as_secs() });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
