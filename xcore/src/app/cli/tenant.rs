//! `tenant`: creates, lists, suspends, resumes, changes, renames, deletes and restores, and what belongs to a tenant.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::arguments::TenantCommand;
use super::failure::Failure;
use super::{archive, credentials};
use crate::app::{BootError, Instance, TenantError};
use crate::db::DatabaseError;
use crate::tenancy::{ProfileChange, State, TenantId, TenantRecord, Times};

/// How long a server that runs beside may take to finish a deletion or a renaming.
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
                let server = record.server.as_deref().unwrap_or_default();
                let plan = record.profile.plan.as_deref().unwrap_or("-");
                let mut reason = record.reason.as_deref().unwrap_or_default().replace('\n', " ");
                if let Some(time) = record.delete_after {
                    reason = format!("until {} {reason}", printed(time));
                }
                let rest = match (plan, reason.as_str()) {
                    ("-", "") => String::new(),
                    (plan, reason) => format!("{plan:<12} {reason}"),
                };
                let place = if server.is_empty() { String::new() } else { format!("{server:<12} ") };
                let line = format!("{:<24} {state:<13} {place}{rest}", record.id);
                writeln!(out, "{}", line.trim_end())?;
            }
        }
        TenantCommand::Show { name } => {
            let record = app.tenants().get(&parse(&name)?).await?;
            writeln!(out, "{:#}", shown(&record))?;
        }
        TenantCommand::Suspend { name, reason } => {
            let id = parse(&name)?;
            app.tenants().suspend(&id, reason.as_deref()).await?;
            writeln!(out, "suspended {id}")?;
        }
        TenantCommand::Resume { name } => {
            let id = parse(&name)?;
            app.migrate_shared().await.map_err(|source| BootError::Database { source })?;
            app.tenants().resume(&id).await?;
            writeln!(out, "{id} is active")?;
        }
        TenantCommand::Set { name, changes } => {
            let id = parse(&name)?;
            let change =
                changes.iter().try_fold(ProfileChange::new(), |change, text| changed(change, text))?;
            app.tenants().change(&id, &change).await?;
            writeln!(out, "changed {id}")?;
        }
        TenantCommand::Export { .. } | TenantCommand::Import { .. } | TenantCommand::Clone { .. } => {
            archive::archive(app, command, out).await?;
        }
        TenantCommand::Rename { name, to } => {
            let (id, to) = (parse(&name)?, parse(&to)?);
            rename(app, &id, &to).await?;
            writeln!(out, "{id} is {to} now")?;
        }
        TenantCommand::Delete { name, now: false, yes } => {
            let id = parse(&name)?;
            if !yes && !is_confirmed(&format!("Delete tenant `{id}`?"))? {
                return Err(Failure::NotConfirmed);
            }
            match delete(app, &id).await? {
                Some(until) => writeln!(out, "deleted {id}; `tenant restore {id}` until {}", printed(until))?,
                None => writeln!(out, "deleted {id} for good")?,
            }
        }
        TenantCommand::Delete { name, now: true, yes } | TenantCommand::Purge { name, yes } => {
            let id = parse(&name)?;
            if !yes && !is_confirmed(&format!("Drop tenant `{id}` and all of its data for good?"))? {
                return Err(Failure::NotConfirmed);
            }
            is_gone(app, &id, app.tenants().purge(&id).await).await?;
            writeln!(out, "deleted {id} for good")?;
        }
        TenantCommand::Restore { name } => {
            let id = parse(&name)?;
            app.migrate_shared().await.map_err(|source| BootError::Database { source })?;
            app.tenants().restore(&id).await?;
            writeln!(out, "{id} is {}", app.tenants().get(&id).await?.state)?;
        }
        TenantCommand::Domain(command) => credentials::domain(app, command, out).await?,
        TenantCommand::Key(command) => credentials::key(app, command, out).await?,
    }
    Ok(())
}

/// One `KEY=VALUE`.
fn changed(change: ProfileChange, text: &str) -> Result<ProfileChange, Failure> {
    let malformed = || Failure::Change { text: text.to_owned() };
    let (key, value) = text.split_once('=').ok_or_else(malformed)?;
    let json = || match value {
        "" => Value::Null,
        value => serde_json::from_str(value).unwrap_or_else(|_| value.into()),
    };
    match (key, key.split_once('.')) {
        ("plan", _) => Ok(change.plan(Some(value).filter(|plan| !plan.is_empty()))),
        (_, Some(("settings", name))) if !name.is_empty() => Ok(change.setting(name, json())),
        (_, Some(("metadata", name))) if !name.is_empty() => Ok(change.metadata(name, json())),
        ("", _) | (_, Some(("settings" | "metadata", _))) => Err(malformed()),
        (name, _) => Ok(change.metadata(name, json())),
    }
}

fn shown(record: &TenantRecord) -> Value {
    let time = |time: fn(&Times) -> DateTime<Utc>| record.times.as_ref().map(|times| printed(time(times)));
    json!({
        "id": record.id.as_str(),
        "state": record.state.as_str(),
        "reason": record.reason,
        "other_name": record.other_name.as_ref().map(TenantId::as_str),
        "delete_after": record.delete_after.map(printed),
        "server": record.server.as_deref(),
        "plan": record.profile.plan,
        "metadata": record.profile.metadata,
        "settings": record.profile.settings,
        "schema_version": record.version,
        "life": record.life,
        "created": time(|times| times.created),
        "since": time(|times| times.since),
        "updated": time(|times| times.updated),
    })
}

fn printed(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub(super) fn parse(name: &str) -> Result<TenantId, TenantError> {
    TenantId::parse(name).map_err(|source| TenantError::Name { name: name.to_owned(), source })
}

fn is_confirmed(question: &str) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    write!(io::stderr(), "{question} Type `yes`: ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// Until when it can be restored; `None` when it is gone.
async fn delete(app: &Instance, id: &TenantId) -> Result<Option<DateTime<Utc>>, Failure> {
    match app.tenants().delete(id).await {
        Ok(Some(until)) => Ok(Some(until)),
        done => is_gone(app, id, done.map(drop)).await.map(|()| None),
    }
}

/// A server that runs beside holds the tenant's files. It sees the mark in the directory within a second and finishes.
async fn is_gone(app: &Instance, id: &TenantId, done: Result<(), TenantError>) -> Result<(), Failure> {
    match done {
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

/// As [`delete`].
async fn rename(app: &Instance, id: &TenantId, to: &TenantId) -> Result<(), Failure> {
    match app.tenants().rename(id, to).await {
        Err(TenantError::NotRenamed { source: DatabaseError::Served { .. }, .. }) => {}
        done => return Ok(done?),
    }
    let deadline = tokio::time::Instant::now() + SERVER_FINISHES;
    loop {
        let listed = app.tenants().list().await?;
        match listed.iter().find(|record| record.id == *id).map(|record| record.state) {
            Some(State::Renaming) => {}
            Some(State::Active | State::Suspended) => return Err(Failure::NotRenamed { id: *id, to: *to }),
            _ => return Ok(()),
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(Failure::NotFinished { seconds: SERVER_FINISHES.as_secs() });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
