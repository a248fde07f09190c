//! Deletions that can be taken back, and how they become final.
//!
//! A tenant that is deleted softly keeps all that it has, and nobody may use it: contexts that are held end, as those of a deleted one
//! do, since what they wrote would come back with a restoration. Whether it is restored or dropped is decided by one move of its state,
//! which only one of them can make; the data is touched after that.

use chrono::{DateTime, Utc};

use super::{TenantError, Tenants};
use crate::faults::{Step, reached};
use crate::tenancy::{State, StoreError, TenantId, TenantRecord};

impl Tenants {
    /// Deletes a tenant until its time is over; gives when that is. `None` when there is nothing to keep, or nobody wants it kept.
    pub(super) async fn begin_soft_deletion(
        &self,
        id: &TenantId,
    ) -> Result<Option<DateTime<Utc>>, TenantError> {
        self.check_deletable(id)?;
        if self.delete_after.is_zero() || !self.store().is_managed() {
            return Ok(None);
        }
        // Again when somebody else has moved it since it was read.
        let (life, until) = loop {
            let TenantRecord { state, life, delete_after, .. } = self.get(id).await?;
            match state {
                State::Active | State::Suspended => {}
                State::SoftDeleted => break (life, delete_after.unwrap_or(DateTime::<Utc>::MAX_UTC)),
                // Nothing of it could be restored, or it cannot be deleted now, as the final deletion says.
                State::Provisioning
                | State::Failed
                | State::Importing
                | State::Renaming
                | State::Reserved
                | State::Deleting
                | State::Foreign => return Ok(None),
            }
            let until = in_whole_seconds(Utc::now() + self.delete_after);
            if self.store().soft_delete(id, life, state, until).await? {
                break (life, until);
            }
        };
        reached(Step::DeleteNoted);
        self.runtime.admission.directory.end_life(id, life);
        reached(Step::DeleteLifeEnded);
        self.rest(id).await?;
        reached(Step::DeleteJobsRest);
        Ok(Some(until))
    }

    /// Requests that name no tenant go to the default one, and the next start would make it again.
    pub(super) fn check_deletable(&self, id: &TenantId) -> Result<(), TenantError> {
        if self.runtime.admission.default == Some(*id) {
            return Err(TenantError::IsDefault { id: *id });
        }
        Ok(())
    }

    /// Restores a tenant.
    pub(super) async fn bring_back(&self, id: &TenantId) -> Result<(), TenantError> {
        let state = self.move_back(id).await?;
        self.runtime.admission.directory.forget(id);
        match state {
            State::Active => self.enter(id).await?,
            _ => drop(self.rest(id).await?),
        }
        reached(Step::RestoreJobsGiven);
        Ok(())
    }

    async fn move_back(&self, id: &TenantId) -> Result<State, TenantError> {
        let _turn = self.steps.of(id).await;
        let _claim = self.claim(id, false).await?;
        reached(Step::RestoreClaimed);
        if self.store().is_managed() {
            let record = self.get(id).await?;
            if record.state != State::SoftDeleted {
                return Err(StoreError::NotSoftDeleted { id: *id, state: record.state }.into());
            }
            // No run of `migrate` has looked at it meanwhile.
            let gap = self.window.gap(self.store().as_ref(), record.version.as_deref()).await?;
            if self.window.is_behind(gap) {
                self.migrate_as(&record).await?;
            }
            reached(Step::RestoreMigrated);
            if let Some(state) = self.store().restore(id, record.life).await? {
                reached(Step::RestoreNoted);
                return Ok(state);
            }
            // Somebody was faster: its time is over, or it is restored already.
            let state = self.get(id).await?.state;
            return Err(StoreError::NotSoftDeleted { id: *id, state }.into());
        }
        // Says why not.
        let restored = self.store().restore(id, 0).await?;
        restored.ok_or_else(|| StoreError::NotFound { id: *id }.into())
    }

    /// Drops a tenant whose time is over, unless it was restored meanwhile.
    pub(super) async fn finish_soft_deletion(&self, record: &TenantRecord) -> Result<(), TenantError> {
        if self.store().end_soft_deletion(&record.id, record.life, Utc::now()).await? {
            reached(Step::PurgeNoted);
            self.runtime.admission.directory.forget(&record.id);
        }
        // Of several processes one has moved it, and any may have the claim.
        self.finish_deleting(&record.id).await
    }
}

/// As the directory keeps times, and never earlier.
fn in_whole_seconds(time: DateTime<Utc>) -> DateTime<Utc> {
    let begun = i64::from(time.timestamp_subsec_nanos() > 0);
    DateTime::from_timestamp(time.timestamp() + begun, 0).unwrap_or(time)
}
