//! `check`: what an operator wants to know before and after a deployment.

use std::io::Write;

use super::arguments::CheckArguments;
use super::failure::Failure;
use crate::app::{BootError, Instance, TenantError};
use crate::db::{DatabaseError, Drift};
use crate::tenancy::{State, TenantRecord};

pub(super) async fn check(
    app: &Instance,
    arguments: &CheckArguments,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let config = &app.0.config.config;
    if arguments.print_config {
        writeln!(out, "{}", config.to_yaml()?)?;
    }
    let mut left_to_do = 0;
    writeln!(out, "configuration  fits this binary")?;
    for placed in &app.0.plugins {
        let facts = &placed.facts;
        let services: Vec<&str> = facts.services.iter().map(|service| service.as_str()).collect();
        let grants: Vec<&str> = config
            .plugins
            .get(facts.name)
            .map(|plugin| plugin.grants.iter().map(|grant| grant.as_str()).collect())
            .unwrap_or_default();
        let granted =
            if grants.is_empty() { String::new() } else { format!("  GRANTED {}", grants.join(", ")) };
        let line =
            format!("plugin         {} {}  {}{granted}", facts.name, facts.version, services.join(", "));
        writeln!(out, "{}", line.trim_end())?;
    }
    let shared = app.pending_shared().await.map_err(|source| BootError::Database { source })?;
    if !shared.is_empty() {
        left_to_do += shared.len();
        writeln!(out, "shared         {} migrations pending; run `migrate`", shared.len())?;
    }
    let records = app.tenants().list().await?;
    let outdated = app.tenants().outdated().await?;
    let mut comparable = Vec::new();
    for record in &records {
        let mut say = |what: &str| -> Result<(), Failure> {
            left_to_do += 1;
            writeln!(out, "tenant         {}: {what}", record.id)?;
            Ok(())
        };
        let has_data = match app.tenants().has_data(record).await {
            Ok(has_data) => has_data,
            // The data of the others is looked at all the same.
            Err(problem) if record.server.is_some() => {
                say(&crate::plugin::chain(&problem))?;
                continue;
            }
            Err(source) if record.state.has_data() => {
                return Err(TenantError::Data { id: record.id, step: "read", source }.into());
            }
            Err(_) => true,
        };
        match record.state {
            state if state.has_data() && !has_data => {
                say(&format!("{state}, but its database is missing; restore it, or delete the tenant"))?;
            }
            state if state.has_data() && outdated.contains(&record.id) => {
                say("migrations pending; run `migrate`")?;
            }
            State::Active | State::Suspended => comparable.push(record.clone()),
            State::Failed => {
                let why = record.reason.as_deref().unwrap_or("for a reason that is not noted");
                let id = &record.id;
                say(&format!(
                    "its creation failed: {why}; `tenant resume {id}` tries again, `tenant delete {id}` rolls it back"
                ))?;
            }
            State::Importing => say("it is being imported; when that was cut off, a server undoes it")?,
            State::Provisioning => say("its creation was cut off; the next start finishes it")?,
            State::Foreign => say("in a state that this version does not know; a newer version made it")?,
            State::Renaming => say("its renaming was cut off; the next start finishes it")?,
            // Said of the tenant that gets the name.
            State::Reserved => {}
            State::SoftDeleted if !has_data => {
                say(
                    "it was deleted, and its database is missing, so it cannot be restored; `tenant purge` it",
                )?;
            }
            State::SoftDeleted => {}
            State::Deleting => say("its deletion was cut off; the next start finishes it")?,
        }
    }
    left_to_do += drift(app, &comparable, out).await?;
    writeln!(out, "tenants        {} in the directory", records.len())?;
    print_spares(app, "spares         ", out).await?;
    // What is harmless where the app is written is not where customers are served.
    let is_production = app.0.config.is_production();
    for finding in app.findings().await.map_err(|source| BootError::Database { source })? {
        let is_refused = is_production && finding.is_serious;
        left_to_do += usize::from(is_refused);
        let what = if is_refused { "" } else { "warning: " };
        writeln!(out, "database       {what}{}", finding.text)?;
    }
    if left_to_do == 0 {
        writeln!(out, "all is well")?;
        Ok(())
    } else {
        writeln!(out, "{left_to_do} left to do")?;
        Err(Failure::LeftToDo)
    }
}

/// How many differences of one tenant are printed.
const SHOWN: usize = 20;

/// Names the tenants that are not what all migrations make, and what differs; how many there are.
async fn drift(app: &Instance, records: &[TenantRecord], out: &mut impl Write) -> Result<usize, Failure> {
    let mut tenants = 0;
    for compared in app.tenants().drift(records).await {
        match compared {
            Ok(found) => {
                for Drift { tenant, differences } in found {
                    tenants += 1;
                    for difference in differences.iter().take(SHOWN) {
                        writeln!(out, "tenant         {tenant}: {difference}")?;
                    }
                    if differences.len() > SHOWN {
                        writeln!(out, "tenant         {tenant}: and {} more", differences.len() - SHOWN)?;
                    }
                }
            }
            Err(problem) => {
                // It is how its migrations are written, and nothing is wrong with that.
                let is_written_so = matches!(problem, DatabaseError::NoTemplate { .. });
                tenants += usize::from(!is_written_so);
                let warning = if is_written_so { "warning: " } else { "" };
                writeln!(out, "tenants        {warning}not compared: {}", crate::plugin::chain(&problem))?;
            }
        }
    }
    Ok(tenants)
}

/// How many spare tenants there are, where some are wanted or left.
pub(super) async fn print_spares(app: &Instance, begin: &str, out: &mut impl Write) -> Result<(), Failure> {
    let wanted = app.0.config.config.tenancy.spare_tenants;
    let ready = app.tenants().spare_count().await.map_err(|source| BootError::Database { source })?;
    if wanted > 0 || ready > 0 {
        writeln!(out, "{begin}{ready} spare tenants ready, {wanted} wanted on each server")?;
    }
    Ok(())
}
