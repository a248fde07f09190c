//! `tenant export`, and what a clone begins with.

use std::path::Path;

use chrono::{SecondsFormat, Utc};

use super::manifest::{FORMAT, Manifest, WrittenProfile};
use super::write::write;
use super::{ArchiveError, Transferred};
use crate::app::{TenantError, Tenants};
use crate::db::{Applied, Database, DatabaseError, way};
use crate::scheduler::MovedJob;
use crate::tenancy::{State, TenantId, TenantRecord};

/// A tenant that is whole, and what of it is no row.
pub(super) struct Source<'a> {
    pub(super) record: TenantRecord,
    pub(super) database: &'a Database,
    pub(super) profile: WrittenProfile,
    pub(super) jobs: Vec<MovedJob>,
}

impl Tenants {
    /// Writes all that a tenant has into a file: its rows as they are at one moment, its plan, metadata and settings, and the jobs that
    /// it has added at run time. The tenant is served meanwhile; it is not migrated and cannot be deleted until this is done. The memory
    /// that this takes does not depend on how much the tenant has, but for its largest row.
    ///
    /// Not in the file are API keys, domains, roles and passwords, cache entries, what all tenants share, and jobs that are in the
    /// memory of another process.
    ///
    /// The file has its name when it is whole; its owner alone may read it. When the future is dropped, no file is left.
    ///
    /// # Errors
    /// When the tenant is neither active nor suspended, has tables that no migration makes, or the file is there already or cannot be
    /// written.
    pub async fn export(&self, id: &TenantId, to: &Path) -> Result<Transferred, TenantError> {
        if to.exists() {
            return Err(ArchiveError::FileExists { path: to.to_owned() }.into());
        }
        let Source { record, database, profile, jobs } = self.source(id).await?;
        let manifest = Manifest {
            format: FORMAT,
            xcore: env!("CARGO_PKG_VERSION").to_owned(),
            app: self.runtime.app_name.clone(),
            tenant: *id,
            exported: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            created: record.times.map(|times| times.created.to_rfc3339_opts(SecondsFormat::Secs, true)),
            rows: database.form(),
            migrations: Applied::new(),
            tables: Vec::new(),
            sequences: Vec::new(),
            members: Vec::new(),
        };
        let (out, rows) = way();
        let to = to.to_owned();
        let writing = tokio::task::spawn_blocking(move || write(&to, manifest, &profile, &jobs, rows));
        let sent = database.send(id, out).await;
        let written = writing.await.unwrap_or(Err(ArchiveError::CutShort));
        match (written, sent) {
            // Whoever stopped first knows why.
            (Err(ArchiveError::CutShort), Err(source)) => {
                Err(TenantError::Data { id: *id, step: "read", source })
            }
            (Err(problem), _) => Err(problem.into()),
            (Ok(_), Err(source)) => Err(TenantError::Data { id: *id, step: "read", source }),
            (Ok(written), Ok(())) => Ok(written),
        }
    }

    /// A tenant that can be copied.
    pub(super) async fn source(&self, id: &TenantId) -> Result<Source<'_>, TenantError> {
        let record = self.record(id).await?;
        if !matches!(record.state, State::Active | State::Suspended) {
            return Err(ArchiveError::NotWhole { id: *id, state: record.state }.into());
        }
        let unread = |source| TenantError::Data { id: *id, step: "read", source };
        let database = self.database_of(&record).map_err(unread)?.ok_or(ArchiveError::NoDatabase)?;
        self.refuse_other_tables(id, database).await?;
        let jobs = match &self.runtime.scheduler {
            Some(scheduler) => {
                scheduler.jobs_to_move(id).await.map_err(|source| TenantError::Jobs { id: *id, source })?
            }
            None => Vec::new(),
        };
        let profile = WrittenProfile::of(record.profile.clone());
        Ok(Source { record, database, profile, jobs })
    }

    /// What an export holds must be of use: tables that no migration makes have no place where they come to.
    async fn refuse_other_tables(&self, id: &TenantId, database: &Database) -> Result<(), TenantError> {
        let unread = |source| TenantError::Data { id: *id, step: "read", source };
        // What is behind differs from the template anyway.
        if self.migrations.is_empty() || !self.pending(id).await?.is_empty() {
            return Ok(());
        }
        let drift = match database.drift(&[*id], &self.migrations).await {
            Err(DatabaseError::NoTemplate { .. }) => return Ok(()),
            drift => drift.map_err(unread)?,
        };
        let differences: Vec<String> =
            drift.into_iter().flat_map(|drift| drift.differences).filter(|text| is_of_rows(text)).collect();
        if differences.is_empty() {
            Ok(())
        } else {
            Err(ArchiveError::Differs { id: *id, differences }.into())
        }
    }
}

/// Whether a difference says that a table, a column or a sequence is missing or too many.
fn is_of_rows(difference: &str) -> bool {
    let whole = ["is missing", "is there, template has none"];
    let is_whole = whole.iter().any(|end| difference.ends_with(end));
    let part = difference.strip_prefix("table ").map(|rest| rest.split_once(": "));
    let is_part = match part {
        Some(Some((_, of_table))) => of_table.starts_with("column "),
        Some(None) => true,
        None => difference.starts_with("sequence "),
    };
    is_whole && is_part
}

#[cfg(test)]
mod tests {
    use super::is_of_rows;

    #[test]
    fn what_has_no_place_for_its_rows_is_told_from_what_changes_nothing_for_them() {
        for of_rows in [
            "table more is there, template has none",
            "table notes is missing",
            "table notes: column colour is there, template has none",
            "sequence numbers is there, template has none",
        ] {
            assert!(is_of_rows(of_rows), "{of_rows}");
        }
        for other in [
            "index of_notes is missing",
            "table notes: constraint notes_check is there, template has none",
            "table notes: column text is text, template has integer",
            "function f() is missing",
        ] {
            assert!(!is_of_rows(other), "{other}");
        }
    }
}
