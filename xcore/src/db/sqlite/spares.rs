//! Spare files: copies of the template that wait for a tenant's name. Renaming one is the claim on it, so that no two tenants get the same.

use std::sync::atomic::Ordering;

use super::layout::{self, Found};
use super::service::{Sqlite, blocking};
use crate::db::backend::Tended;
use crate::db::{DatabaseError, Migrations, template};
use crate::faults::Step;
use crate::tenancy::TenantId;

impl Sqlite {
    pub(super) async fn take_spare(
        &self,
        id: &TenantId,
        migrations: &[Migrations],
    ) -> Result<bool, DatabaseError> {
        if self.is_shared(id) || migrations.is_empty() {
            return Ok(false);
        }
        let _one = self.changing.lock().await;
        let files = self.change_files().await?;
        let (layout, to, version) =
            (self.layout.clone(), self.layout.tenant(id), template::version(migrations));
        blocking(move || {
            let spare = layout.spares(&version)?.0.pop();
            let Some(spare) = spare.filter(|_| layout::look(&to) == Found::Nothing) else { return Ok(false) };
            layout::rename(&spare, &to, Step::SpareRenamed)?;
            drop(files);
            Ok(true)
        })
        .await
    }

    /// One process serves the folder, so that spare files of another version are of an older program.
    pub(super) async fn tend(
        &self,
        wanted: usize,
        migrations: &[Migrations],
    ) -> Result<Tended, DatabaseError> {
        let wanted = if self.isolate && !migrations.is_empty() { wanted } else { 0 };
        let version = template::version(migrations);
        let (current, others) = self.layout.spares(&version)?;
        if let Some(surplus) = others.into_iter().next().or_else(|| current.get(wanted).cloned()) {
            let files = self.change_files().await?;
            blocking(move || {
                // It may have become a tenant's meanwhile; then nothing has its name.
                layout::delete(&surplus)?;
                drop(files);
                Ok(())
            })
            .await?;
            return Ok(Tended::Dropped);
        }
        if current.len() >= wanted {
            return Ok(Tended::Enough);
        }
        if self.copying.is_refused.load(Ordering::Relaxed) {
            return Ok(Tended::Impossible);
        }
        let template = match self.template(migrations).await {
            Ok(template) => template,
            Err(DatabaseError::NoTemplate { .. }) => return Ok(Tended::Impossible),
            Err(problem) => return Err(problem),
        };
        let _one = self.changing.lock().await;
        let files = self.change_files().await?;
        let (layout, from) = (self.layout.clone(), template.file.target.path.clone());
        blocking(move || {
            let made = layout::copy_new(&from, &layout.new_spare(&version)?);
            drop((files, template));
            made
        })
        .await?;
        Ok(Tended::Made)
    }

    pub(super) async fn count_spares(&self, migrations: &[Migrations]) -> Result<usize, DatabaseError> {
        let (layout, version) = (self.layout.clone(), template::version(migrations));
        blocking(move || Ok(layout.spares(&version)?.0.len())).await
    }
}
