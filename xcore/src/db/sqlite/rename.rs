//! Gives a tenant's file another name.

use sqlx::{ConnectOptions, Connection as _, Executor};

use super::claim::Claim;
use super::connection::Target;
use super::layout::{self, Found};
use super::service::{Sqlite, blocking};
use crate::db::{DatabaseError, OpenMode};
use crate::faults::{Step, reached};
use crate::tenancy::TenantId;

impl Sqlite {
    pub(super) async fn rename_file(&self, id: &TenantId, to: &TenantId) -> Result<(), DatabaseError> {
        if self.is_shared(id) || self.is_shared(to) {
            return Err(DatabaseError::NotRenamable { tenant: *id });
        }
        // A server beside this process has the file open, and would go on writing to it by the old name.
        let not_served = match self.mode {
            OpenMode::Exclusive => None,
            OpenMode::Beside => Some(Claim::not_served(&self.layout)?),
        };
        // I1: whoever has it open has it open as the old tenant's.
        let evacuated = (self.registry.evacuate(id).await?, self.registry.evacuate(to).await?);
        reached(Step::RenameEvacuated);
        let _one = self.changing.lock().await;
        let files = self.change_files().await?;
        let (from, new) = (self.layout.tenant(id), self.layout.tenant(to));
        match (layout::look(&from), layout::look(&new)) {
            (Found::File, Found::Nothing) => {
                bring_in(&self.registry.target(id)).await?;
                reached(Step::RenameLogBroughtIn);
            }
            // Done before, up to what was left beside it.
            (Found::Nothing, Found::File) => return blocking(move || layout::delete_side_files(&from)).await,
            (Found::Odd(problem), _) => return Err(DatabaseError::Odd { tenant: *id, problem }),
            (_, Found::Odd(problem)) => return Err(DatabaseError::Odd { tenant: *to, problem }),
            (Found::File, Found::File) => return Err(DatabaseError::NameTaken { tenant: *to }),
            (Found::Nothing, Found::Nothing) => return Err(DatabaseError::Missing { tenant: *id }),
        }
        if layout::has_log(&from) {
            return Err(DatabaseError::StillUsed { tenant: *id, waited: self.limits.drain_timeout });
        }
        // In one piece, also when the caller goes away: nobody may open a file that is about to have another name.
        let renaming = self.limits.runtime.spawn_blocking(move || {
            let renamed = layout::rename(&from, &new, Step::RenameFileRenamed);
            drop((files, evacuated, not_served));
            renamed
        });
        renaming.await.unwrap_or(Err(DatabaseError::Closed))
    }
}

/// Brings what a process that was killed has left in the log into the file: the log has the file's old name.
async fn bring_in(target: &Target) -> Result<(), DatabaseError> {
    target.check()?;
    let mut connection = target.options().connect().await?;
    let done = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    // The last connection takes the log with it.
    connection.close().await?;
    done?;
    Ok(())
}
