//! What an archive says of itself.
//!
//! A tar of plain files, in this order:
//!
//! | member | holds |
//! |---|---|
//! | `format` | one line, `xcore tenant archive 1` |
//! | `profile.json` | plan, metadata and settings |
//! | `jobs.json` | the jobs that were added at run time |
//! | `rows/000001`, .. | rows, in parts of some megabytes; the manifest says of which table |
//! | `manifest.json` | a [`Manifest`] |
//! | `manifest.sha256` | the SHA-256 of `manifest.json` in hexadecimal digits |

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::ArchiveError;
use crate::db::{Applied, Form, Sequence, Table};
use crate::tenancy::{Profile, ProfileChange, ProfileError, TenantId};

/// The version of the format.
pub(super) const FORMAT: u32 = 1;

/// How the first member begins.
pub(super) const TITLE: &str = "xcore tenant archive ";

pub(super) const FIRST: &str = "format";
pub(super) const PROFILE: &str = "profile.json";
pub(super) const JOBS: &str = "jobs.json";
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const CHECKSUM: &str = "manifest.sha256";

/// The name of the member with this number, counted from 1.
pub(super) fn rows_name(number: usize) -> String {
    format!("rows/{number:06}")
}

/// What the archive is, where it comes from and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// The version of xcore that wrote it.
    pub(super) xcore: String,
    pub(super) app: String,
    pub(super) tenant: TenantId,
    pub(super) exported: String,
    /// When the tenant was created.
    pub(super) created: Option<String>,
    pub(super) rows: Form,
    /// The migrations that the data has.
    pub(super) migrations: Applied,
    pub(super) tables: Vec<TableRows>,
    pub(super) sequences: Vec<Sequence>,
    pub(super) members: Vec<Member>,
}

/// A table and where its rows are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableRows {
    pub(super) table: Table,
    pub(super) rows: u64,
    /// So many members, those that follow the ones of the table before.
    pub(super) members: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Manifest {
    /// What does not follow from sizes and checksums.
    pub(super) fn check(&self, path: &Path) -> Result<(), ArchiveError> {
        let damaged = |problem| ArchiveError::damaged(path, MANIFEST, problem);
        if self.format != FORMAT {
            return Err(damaged("says another format than the first member"));
        }
        let names = self.members.iter().map(|member| member.name.as_str());
        let parts = self.tables.iter().try_fold(0_usize, |sum, table| sum.checked_add(table.members));
        let parts = parts.filter(|parts| parts.checked_add(3) == Some(self.members.len()));
        let parts = parts.ok_or_else(|| damaged("names more or fewer members than its tables have"))?;
        let expected =
            [FIRST, PROFILE, JOBS].into_iter().map(str::to_owned).chain((1..=parts).map(rows_name));
        if names.eq(expected) { Ok(()) } else { Err(damaged("names members that are none of an archive")) }
    }
}

/// A [`Profile`] as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenProfile {
    plan: Option<String>,
    metadata: Map<String, Value>,
    settings: Map<String, Value>,
}

impl WrittenProfile {
    pub(super) fn of(profile: Profile) -> Self {
        let Profile { plan, metadata, settings } = profile;
        Self { plan, metadata, settings }
    }

    /// The same as a change of a profile that is empty.
    pub(super) fn change(&self) -> ProfileChange {
        let metadata = self
            .metadata
            .iter()
            .fold(ProfileChange::new().plan(self.plan.as_deref()), |change, (name, value)| {
                change.metadata(name, value.clone())
            });
        self.settings.iter().fold(metadata, |change, (name, value)| change.setting(name, value.clone()))
    }

    /// Whether a tenant of this app can have it.
    pub(super) fn check(&self, rules: &crate::tenancy::SettingsRules) -> Result<(), ProfileError> {
        let mut profile = Profile::default();
        let change = self.change();
        change.apply(&mut profile)?;
        change.check(&profile, rules)
    }
}

/// A member that is JSON.
pub(super) fn read_json<T: for<'de> Deserialize<'de>>(
    path: &Path,
    member: &'static str,
    bytes: &[u8],
) -> Result<T, ArchiveError> {
    serde_json::from_slice(bytes).map_err(|source| ArchiveError::Unreadable {
        path: path.to_owned(),
        member,
        source: Arc::new(source),
    })
}

pub(super) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::with_capacity(64), |text, byte| format!("{text}{byte:02x}"))
}
