//! The template: a file that no tenant has, made by running all migrations of this program once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use sqlx::{Row, SqliteConnection};

use super::claim::Claim;
use super::connection::{Connection, Target};
use super::file::{FileUser, OpenFile};
use super::service::{Sqlite, blocking};
use super::text::Verdict;
use super::{layout, migrate};
use crate::db::backend::Place;
use crate::db::drift::{Drift, Parts, TEXT, differences};
use crate::db::{DatabaseError, Migrations, template};
use crate::tenancy::TenantId;

/// What a file holds: the part, and what it is. The outbox is made when it is first needed, so it is no part of it.
const PARTS: &str = "
    SELECT m.type || ' ' || m.name AS object, CASE WHEN m.type = 'table' THEN 'there' ELSE coalesce(m.sql, 'there') END AS definition
    FROM main.sqlite_schema m WHERE m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.name <> 'xcore_outbox'
    UNION ALL
    SELECT 'table ' || m.name || ': column ' || c.name,
           c.type || iif(c.\"notnull\", ' not null', '') || coalesce(' default ' || c.dflt_value, '')
           || iif(c.pk > 0, ' primary key ' || c.pk, '') || iif(c.hidden > 1, ' generated', '')
    FROM main.sqlite_schema m JOIN pragma_table_xinfo(m.name, 'main') c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.name <> 'xcore_outbox'
    UNION ALL
    SELECT 'table ' || m.name || '?', m.sql
    FROM main.sqlite_schema m WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.name <> 'xcore_outbox'";

/// The template's file, which nobody changes as long as this is held.
pub(super) struct Template {
    pub(super) file: Arc<OpenFile>,
    _claim: Claim,
}

/// What this process knows of the template.
#[derive(Debug, Default)]
pub(super) struct Copying {
    /// How many tenants this process has made, or begun to.
    made: AtomicUsize,
    /// Tenants are made by running their migrations.
    pub(super) is_refused: AtomicBool,
}

impl Sqlite {
    /// Makes a tenant's file as a copy of the template, if there is none. The template is made when this process makes its second
    /// tenant: for one alone it takes longer than it saves.
    pub(super) async fn copy_template(
        &self,
        id: &TenantId,
        migrations: &[Migrations],
    ) -> Result<bool, DatabaseError> {
        let is_first = self.copying.made.fetch_add(1, Ordering::Relaxed) == 0;
        if self.is_shared(id) || migrations.is_empty() || self.copying.is_refused.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let version = template::version(migrations);
        if is_first && layout::look(&self.layout.template(&version)) != layout::Found::File {
            return Ok(false);
        }
        let template = match self.template(migrations).await {
            Ok(template) => template,
            Err(problem) if problem.is_unavailable() => return Ok(false),
            Err(problem) => {
                if !self.copying.is_refused.swap(true, Ordering::Relaxed) {
                    tracing::warn!(error = %problem, "tenants are made by running their migrations");
                }
                return Ok(false);
            }
        };
        let _one = self.changing.lock().await;
        let files = self.change_files().await?;
        let (from, to) = (template.file.target.path.clone(), self.layout.tenant(id));
        blocking(move || {
            let copied = layout::copy_new(&from, &to);
            drop((files, template));
            copied
        })
        .await
    }

    /// The template of this program, made when it is not there.
    pub(super) async fn template(&self, migrations: &[Migrations]) -> Result<Template, DatabaseError> {
        let version = template::version(migrations);
        let (layout, wait) = (self.layout.clone(), self.limits.drain_timeout);
        let claim = blocking(move || Claim::template(&layout, wait)).await?;
        let file = |path| {
            let target = Target {
                path,
                tenant: None,
                shared: Some(self.layout.shared()),
                busy_timeout: self.limits.busy_timeout,
            };
            Arc::new(OpenFile::new(target, Arc::clone(&self.limits), Weak::new()))
        };
        let whole = self.layout.template(&version);
        if layout::look(&whole) == layout::Found::Nothing {
            template::check(migrations)?;
            for other in self.layout.other_templates(&version)? {
                layout::delete_one(&other)?;
            }
            let unfinished = whole.with_extension("new");
            layout::create(&unfinished)?;
            let new = file(unfinished.clone());
            Connection::initialise(&new.target).await?;
            // The end of its only connection brings the log into the file.
            migrate::migrate(&new, &self.layout, Place::Directory, migrations).await?;
            if layout::has_log(&unfinished) {
                return Err(DatabaseError::OddShared {
                    problem: "its template has a log that does not go away",
                });
            }
            std::fs::rename(&unfinished, &whole)
                .map_err(|source| layout::folder_error(self.layout.folder(), source))?;
        }
        Ok(Template { file: file(whole), _claim: claim })
    }

    /// What the tenants' files have otherwise than the template.
    pub(super) async fn compare(
        &self,
        ids: &[TenantId],
        migrations: &[Migrations],
    ) -> Result<Vec<Drift>, DatabaseError> {
        let mut found = Vec::new();
        let ids: Vec<TenantId> = ids.iter().filter(|id| !self.is_shared(id)).copied().collect();
        if ids.is_empty() {
            return Ok(found);
        }
        let template = self.template(migrations).await?;
        let expected = parts_of(FileUser::of(&template.file)).await;
        template.file.close().await;
        let expected = expected?;
        for tenant in ids {
            let parts = parts_of(self.trusted(Place::Tenant(&tenant)).await?).await?;
            let differences = differences(&parts, &expected);
            if !differences.is_empty() {
                found.push(Drift { tenant, differences });
            }
        }
        Ok(found)
    }
}

async fn parts_of(user: FileUser) -> Result<Parts, DatabaseError> {
    let mut lease = OpenFile::lend(user, false).await?;
    let parts = parts(lease.start(Verdict::default()).await?).await;
    lease.finish(None);
    parts
}

async fn parts(connection: &mut SqliteConnection) -> Result<Parts, DatabaseError> {
    let rows = sqlx::query(PARTS).fetch_all(connection).await?;
    let mut parts = Parts::new();
    for row in rows {
        let (part, is): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        // How it is laid out in lines says nothing.
        let is = is.split_whitespace().collect::<Vec<_>>().join(" ");
        parts.insert(part.strip_suffix('?').map_or(part.clone(), |table| format!("{table}{TEXT}")), is);
    }
    Ok(parts)
}
