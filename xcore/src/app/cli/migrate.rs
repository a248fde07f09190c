//! `migrate`: brings the shared database and the tenants up to date.

use std::collections::HashMap;
use std::io::Write;

use futures_util::StreamExt;

use super::arguments::{MigrateArguments, MigrateCommand};
use super::failure::Failure;
use super::progress::Progress;
use super::tenant::parse;
use crate::app::tenants::names;
use crate::app::{BootError, Instance, TenantError};
use crate::db::DatabaseError;
use crate::plugin::chain;
use crate::tenancy::TenantId;

pub(super) async fn migrate(
    app: &Instance,
    arguments: &MigrateArguments,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if let Some(MigrateCommand::Status) = arguments.command {
        return status(app, usize::from(arguments.parallel), out).await;
    }
    let tenants = chosen(app, arguments).await?;
    let at_once = at_once(app, arguments, out)?;
    if arguments.dry_run {
        return dry_run(app, tenants, at_once, out).await;
    }
    let shared = app.migrate_shared().await.map_err(|source| BootError::Database { source })?;
    for migration in names(&shared) {
        writeln!(out, "shared: applied {migration}")?;
    }
    let total = tenants.len();
    let mut run = Run { applied: 0, failed: Vec::new(), progress: Progress::new("migrating", total) };
    let mut first = tenants;
    let others = first.split_off(arguments.canary.min(total));
    let canaries = first.len();
    run.migrate(app, first, at_once, out).await?;
    if !run.failed.is_empty() && !others.is_empty() {
        run.progress.end();
        return Err(Failure::Canary { failed: run.failed.len(), canaries, left: others.len() });
    }
    run.migrate(app, others, at_once, out).await?;
    run.progress.end();
    if !run.failed.is_empty() {
        return Err(Failure::Migrations { failed: run.failed, tenants: total });
    }
    writeln!(out, "up to date: {} migrations applied to {total} tenants", run.applied)?;
    Ok(())
}

/// What has come of it so far.
struct Run {
    applied: usize,
    failed: Vec<TenantId>,
    progress: Progress,
}

impl Run {
    async fn migrate(
        &mut self,
        app: &Instance,
        tenants: Vec<TenantId>,
        at_once: usize,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let mut migrated = std::pin::pin!(app.tenants().migrate_all(tenants, at_once));
        while let Some(done) = migrated.next().await {
            self.progress.done(&done, out)?;
            match done {
                (_, Ok(migrations)) => self.applied += migrations.len(),
                (id, Err(_)) => self.failed.push(id),
            }
        }
        Ok(())
    }
}

fn at_once(app: &Instance, arguments: &MigrateArguments, out: &mut impl Write) -> Result<usize, Failure> {
    let wanted = usize::from(arguments.parallel);
    let allowed = app.tenants().allow_at_once(wanted);
    if allowed < wanted {
        writeln!(out, "{allowed} tenants at once, which is what `services.database` has connections for")?;
    }
    Ok(allowed)
}

/// The tenants that are named, or all that the directory does not know to be up to date.
async fn chosen(app: &Instance, arguments: &MigrateArguments) -> Result<Vec<TenantId>, Failure> {
    if arguments.tenants.is_empty() {
        return behind(app).await;
    }
    let all = app.tenants().list().await?;
    let mut chosen = Vec::new();
    for name in &arguments.tenants {
        let id = parse(name)?;
        if !all.iter().any(|record| record.id == id && record.state.has_data()) {
            return Err(TenantError::from(crate::tenancy::StoreError::NotFound { id }).into());
        }
        chosen.push(id);
    }
    Ok(chosen)
}

/// Those that may have something to apply. An open directory notes nothing of them, so there each is looked at.
async fn behind(app: &Instance) -> Result<Vec<TenantId>, Failure> {
    if app.tenants().store().is_managed() {
        return Ok(app.tenants().outdated().await?);
    }
    let all = app.tenants().list().await?;
    Ok(all.into_iter().filter(|record| record.state.has_data()).map(|record| record.id).collect())
}

async fn dry_run(
    app: &Instance,
    tenants: Vec<TenantId>,
    at_once: usize,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut is_anything_pending = false;
    for migration in app.pending_shared().await.map_err(|source| BootError::Database { source })? {
        is_anything_pending = true;
        writeln!(out, "shared: would apply {migration}")?;
    }
    let total = tenants.len();
    let mut failed = Vec::new();
    let mut looked_at = std::pin::pin!(app.tenants().pending_all(tenants, at_once));
    while let Some((id, pending)) = looked_at.next().await {
        match pending {
            Ok(migrations) => {
                for migration in migrations {
                    is_anything_pending = true;
                    writeln!(out, "{id}: would apply {migration}")?;
                }
            }
            Err(problem) => {
                writeln!(out, "{id}: cannot be migrated: {}", chain(&problem))?;
                failed.push(id);
            }
        }
    }
    if !failed.is_empty() {
        return Err(Failure::NotMigratable { failed, tenants: total });
    }
    if is_anything_pending {
        return Err(Failure::LeftToDo);
    }
    writeln!(out, "up to date: nothing to apply")?;
    Ok(())
}

/// Each tenant that has data, and how it stands to this program. Only those that the directory does not know to be up to date
/// are looked at.
async fn status(app: &Instance, at_once: usize, out: &mut impl Write) -> Result<(), Failure> {
    let at_once = app.tenants().allow_at_once(at_once);
    let shared = app.pending_shared().await.map_err(|source| BootError::Database { source })?;
    writeln!(out, "{:<24} {}", "(shared)", standing(&Ok(shared.clone())))?;
    let behind = behind(app).await?;
    let looked_at: HashMap<TenantId, _> = app.tenants().pending_all(behind, at_once).collect().await;
    let mut others = usize::from(!shared.is_empty());
    let mut up_to_date = 0_usize;
    for record in app.tenants().list().await? {
        if !record.state.has_data() {
            continue;
        }
        let found = looked_at.get(&record.id);
        let is_current = found.is_none_or(|pending| matches!(pending, Ok(list) if list.is_empty()));
        if is_current {
            up_to_date += 1;
        } else {
            others += 1;
        }
        let standing = found.map_or_else(|| standing(&Ok(Vec::new())), standing);
        writeln!(out, "{:<24} {standing}", record.id)?;
    }
    writeln!(out, "{up_to_date} tenants up to date")?;
    super::check::print_spares(app, "", out).await?;
    if others > 0 { Err(Failure::LeftToDo) } else { Ok(()) }
}

fn standing(pending: &Result<Vec<String>, TenantError>) -> String {
    match pending {
        Ok(list) if list.is_empty() => "up to date".to_owned(),
        Ok(list) => format!("{} pending: {}", list.len(), list.join(", ")),
        Err(TenantError::Data { source: DatabaseError::UnknownMigrations { plugin, names }, .. }) => {
            format!("ahead of this program: {plugin}: {}", names.join(", "))
        }
        Err(problem) => chain(problem).to_string(),
    }
}
