//! `migrate`: brings the shared database and the tenants up to date.

use std::io::{self, Write};

use futures_util::StreamExt;

use super::arguments::MigrateArguments;
use super::failure::Failure;
use super::tenant::parse;
use crate::app::tenants::names;
use crate::app::{BootError, Instance, TenantError};
use crate::plugin::chain;
use crate::tenancy::{State, TenantId};

pub(super) async fn migrate(
    app: &Instance,
    arguments: &MigrateArguments,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let tenants = chosen(app, arguments).await?;
    if arguments.dry_run {
        return dry_run(app, &tenants, out).await;
    }
    let shared = app.migrate_shared().await.map_err(|source| BootError::Database { source })?;
    for migration in names(&shared) {
        writeln!(out, "shared: applied {migration}")?;
    }
    let mut failed = 0;
    let mut applied = 0;
    let total = tenants.len();
    let mut migrated = std::pin::pin!(app.tenants().migrate_all(tenants).enumerate());
    while let Some((position, (id, outcome))) = migrated.next().await {
        let place = format!("[{}/{total}] {id}", position + 1);
        match outcome {
            Ok(migrations) => {
                applied += migrations.len();
                writeln!(out, "{place}: {} applied", migrations.len())?;
            }
            Err(problem) => {
                failed += 1;
                writeln!(io::stderr(), "{place}: {}", chain(&problem))?;
            }
        }
    }
    if failed > 0 {
        return Err(Failure::Migrations { failed, tenants: total });
    }
    writeln!(out, "up to date: {} migrations applied to {} tenants", applied, total)?;
    Ok(())
}

/// The tenants that are named, or all that the directory does not know to be up to date.
async fn chosen(app: &Instance, arguments: &MigrateArguments) -> Result<Vec<TenantId>, Failure> {
    if arguments.tenants.is_empty() {
        return Ok(app.tenants().outdated().await?);
    }
    let all = app.tenants().list().await?;
    let mut chosen = Vec::new();
    for name in &arguments.tenants {
        let id = parse(name)?;
        if !all.iter().any(|record| record.id == id && record.state == State::Active) {
            return Err(TenantError::from(crate::tenancy::StoreError::NotFound { id }).into());
        }
        chosen.push(id);
    }
    Ok(chosen)
}

async fn dry_run(app: &Instance, tenants: &[TenantId], out: &mut impl Write) -> Result<(), Failure> {
    let mut is_anything_pending = false;
    for migration in app.pending_shared().await.map_err(|source| BootError::Database { source })? {
        is_anything_pending = true;
        writeln!(out, "shared: would apply {migration}")?;
    }
    for id in tenants {
        for migration in app.tenants().pending(id).await? {
            is_anything_pending = true;
            writeln!(out, "{id}: would apply {migration}")?;
        }
    }
    if is_anything_pending {
        return Err(Failure::LeftToDo);
    }
    writeln!(out, "up to date: nothing to apply")?;
    Ok(())
}
