//! `tenant domain` and `tenant key`.

use std::io::{self, Write};

use xcore_build::config::Source;

use super::arguments::{DomainCommand, KeyCommand};
use super::failure::Failure;
use super::tenant::parse;
use crate::app::Instance;

pub(super) async fn domain(
    app: &Instance,
    command: DomainCommand,
    out: &mut impl Write,
) -> Result<(), Failure> {
    match command {
        DomainCommand::Add { tenant, domain } => {
            let id = parse(&tenant)?;
            let domain = app.tenants().add_domain(&id, &domain).await?;
            writeln!(out, "{domain} is {id}'s")?;
            remind(app, Source::Domain)?;
        }
        DomainCommand::Remove { domain } => {
            app.tenants().remove_domain(&domain).await?;
            writeln!(out, "removed {domain}")?;
        }
        DomainCommand::List { tenant } => {
            let only = tenant.as_deref().map(parse).transpose()?;
            let all = app.tenants().domains().await?;
            for record in all.into_iter().filter(|record| only.is_none_or(|id| id == record.tenant)) {
                writeln!(out, "{:<40} {}", record.domain, record.tenant)?;
            }
        }
    }
    Ok(())
}

pub(super) async fn key(app: &Instance, command: KeyCommand, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        KeyCommand::Create { tenant, label } => {
            let made = app.tenants().create_key(&parse(&tenant)?, &label).await?;
            // Alone on its stream, so that a script can take it.
            writeln!(out, "{}", made.key)?;
            writeln!(io::stderr(), "keep it now, it is not shown again; its id is {}", made.id)?;
            remind(app, Source::ApiKey)?;
        }
        KeyCommand::List { tenant } => {
            for key in app.tenants().keys(&parse(&tenant)?).await? {
                let made = chrono::DateTime::from_timestamp(key.created_at, 0).unwrap_or_default();
                let made = made.format("%Y-%m-%dT%H:%M:%SZ");
                writeln!(out, "{}", format!("{:<16} {made} {}", key.id, key.label).trim_end())?;
            }
        }
        KeyCommand::Revoke { id } => {
            app.tenants().revoke_key(&id).await?;
            writeln!(out, "revoked {id}")?;
        }
    }
    Ok(())
}

/// What was made has no effect yet.
fn remind(app: &Instance, source: Source) -> io::Result<()> {
    if app.0.config.config.sources().contains(&source) {
        return Ok(());
    }
    writeln!(
        io::stderr(),
        "note: requests are not asked for it; `tenancy.sources` of xcore.yaml does not have `{source}`"
    )
}
