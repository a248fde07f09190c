//! What the directory's table notes of a soft deletion: until when the tenant can be restored, and what it was.
//!
//! It is a state of its own, and not `deleting` with a time: an older version that serves the same directory would take the one for the
//! other and drop the data. A state that it does not know it leaves alone.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{ColumnDef, Expr, Table};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, TransactionTrait};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::directory_table::{DirectoryTable, bump, failed, now, tenant};
use crate::tenancy::{State, StoreError, TenantId};

/// Adds what a soft deletion notes, as null in each row, so that an older version can go on inserting tenants.
pub(super) struct SoftDeletion;

impl MigrationName for SoftDeletion {
    fn name(&self) -> &str {
        "m0005_soft_deletion"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SoftDeletion {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use tenant::Column::{DeleteAfter, StateBefore};
        for added in
            [ColumnDef::new(DeleteAfter).big_integer().null(), ColumnDef::new(StateBefore).text().null()]
        {
            manager
                .alter_table(Table::alter().table(tenant::Entity).add_column(added.to_owned()).to_owned())
                .await?;
        }
        Ok(())
    }
}

impl DirectoryTable {
    /// See [`DirectoryStore::soft_delete`](crate::tenancy::DirectoryStore::soft_delete).
    pub(super) async fn note_soft_deletion(
        &self,
        id: &TenantId,
        life: i64,
        from: State,
        delete_after: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        if !from.may_become(State::SoftDeleted) {
            return Err(StoreError::Illegal { id: *id, from, to: State::SoftDeleted });
        }
        let now = now();
        let change = self.db.begin().await.map_err(failed)?;
        bump(&change).await.map_err(failed)?;
        let changed = tenant::Entity::update_many()
            .col_expr(tenant::Column::State, Expr::value(State::SoftDeleted.as_str()))
            .col_expr(tenant::Column::StateBefore, Expr::value(from.as_str()))
            .col_expr(tenant::Column::DeleteAfter, Expr::value(delete_after.timestamp()))
            .col_expr(tenant::Column::UpdatedAt, Expr::value(now))
            .col_expr(tenant::Column::Since, Expr::value(now))
            .filter(tenant::Column::Id.eq(id.as_str()))
            .filter(tenant::Column::Life.eq(life))
            .filter(tenant::Column::State.eq(from.as_str()))
            .exec(&change)
            .await
            .map_err(failed)?;
        if changed.rows_affected != 1 {
            return change.rollback().await.map(|()| false).map_err(failed);
        }
        change.commit().await.map_err(failed)?;
        Ok(true)
    }

    /// See [`DirectoryStore::restore`](crate::tenancy::DirectoryStore::restore).
    pub(super) async fn undo_soft_deletion(
        &self,
        id: &TenantId,
        life: i64,
    ) -> Result<Option<State>, StoreError> {
        let now = now();
        let change = self.db.begin().await.map_err(failed)?;
        bump(&change).await.map_err(failed)?;
        let row = tenant::Entity::find_by_id(id.as_str())
            .filter(tenant::Column::Life.eq(life))
            .filter(tenant::Column::State.eq(State::SoftDeleted.as_str()))
            .one(&change)
            .await
            .map_err(failed)?;
        let Some(row) = row else { return change.rollback().await.map(|()| None).map_err(failed) };
        // Never back to what another version may have noted.
        let before = row.state_before.as_deref().map_or(State::Active, State::parse);
        if !State::SoftDeleted.may_become(before) {
            return Err(StoreError::Illegal { id: *id, from: State::SoftDeleted, to: before });
        }
        tenant::Entity::update_many()
            .col_expr(tenant::Column::State, Expr::value(before.as_str()))
            .col_expr(tenant::Column::StateBefore, Expr::value(None::<String>))
            .col_expr(tenant::Column::DeleteAfter, Expr::value(None::<i64>))
            .col_expr(tenant::Column::UpdatedAt, Expr::value(now))
            .col_expr(tenant::Column::Since, Expr::value(now))
            .filter(tenant::Column::Id.eq(id.as_str()))
            .filter(tenant::Column::Life.eq(life))
            .exec(&change)
            .await
            .map_err(failed)?;
        change.commit().await.map_err(failed)?;
        Ok(Some(before))
    }

    /// See [`DirectoryStore::end_soft_deletion`](crate::tenancy::DirectoryStore::end_soft_deletion).
    pub(super) async fn note_end(
        &self,
        id: &TenantId,
        life: i64,
        time: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let now = now();
        let change = self.db.begin().await.map_err(failed)?;
        bump(&change).await.map_err(failed)?;
        let changed = tenant::Entity::update_many()
            .col_expr(tenant::Column::State, Expr::value(State::Deleting.as_str()))
            .col_expr(tenant::Column::StateBefore, Expr::value(None::<String>))
            .col_expr(tenant::Column::DeleteAfter, Expr::value(None::<i64>))
            .col_expr(tenant::Column::UpdatedAt, Expr::value(now))
            .col_expr(tenant::Column::Since, Expr::value(now))
            .filter(tenant::Column::Id.eq(id.as_str()))
            .filter(tenant::Column::Life.eq(life))
            .filter(tenant::Column::State.eq(State::SoftDeleted.as_str()))
            // It may have been restored and deleted once more since it was read.
            .filter(tenant::Column::DeleteAfter.lte(time.timestamp()))
            .exec(&change)
            .await
            .map_err(failed)?;
        if changed.rows_affected != 1 {
            return change.rollback().await.map(|()| false).map_err(failed);
        }
        change.commit().await.map_err(failed)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::directory_table::tests::table;
    use crate::tenancy::{DirectoryStore, TenantRecord};

    fn until() -> DateTime<Utc> {
        DateTime::from_timestamp(Utc::now().timestamp() + 3600, 0).unwrap()
    }

    /// A tenant in one of the states that can be deleted, and its life.
    async fn tenant_in(table: &DirectoryTable, name: &str, state: State) -> (TenantId, i64) {
        let id = TenantId::parse(name).unwrap();
        table.insert(&id, &[]).await.unwrap();
        let life = table.find(&id).await.unwrap().unwrap().life;
        assert!(table.advance(&id, life, State::Provisioning, State::Active).await.unwrap());
        if state == State::Suspended {
            let why = Some("unpaid");
            assert!(table.advance_because(&id, life, State::Active, state, why).await.unwrap());
        }
        (id, life)
    }

    #[tokio::test]
    async fn a_tenant_is_restored_to_what_it_was_with_its_reason() {
        let (table, _folder) = table().await;
        for (name, state, reason) in [("a", State::Active, None), ("s", State::Suspended, Some("unpaid"))] {
            let (id, life) = tenant_in(&table, name, state).await;
            let before = table.find(&id).await.unwrap().unwrap();
            let until = until();
            assert!(table.soft_delete(&id, life, state, until).await.unwrap());
            let TenantRecord { state: now, delete_after, .. } = table.find(&id).await.unwrap().unwrap();
            assert_eq!((now, delete_after), (State::SoftDeleted, Some(until)));
            assert!(table.find_routable(&id).await.unwrap().is_none());
            let taken = table.insert(&id, &[]).await;
            assert!(
                matches!(taken, Err(StoreError::SoftDeleted { delete_after, .. }) if delete_after == Some(until))
            );
            assert_eq!(table.restore(&id, life).await.unwrap(), Some(state));
            let after = table.find(&id).await.unwrap().unwrap();
            assert_eq!(TenantRecord { times: before.times, ..after.clone() }, before);
            assert_eq!((after.reason.as_deref(), after.delete_after), (reason, None));
            assert_eq!(table.restore(&id, life).await.unwrap(), None, "{name} is restored already");
        }
    }

    #[tokio::test]
    async fn no_other_move_deletes_softly_or_restores_and_none_is_of_another_life() {
        let (table, _folder) = table().await;
        let (id, life) = tenant_in(&table, "acme", State::Active).await;
        let by_the_way = table.advance(&id, life, State::Active, State::SoftDeleted).await;
        assert!(matches!(by_the_way, Err(StoreError::Illegal { .. })), "{by_the_way:?}");
        assert!(!table.soft_delete(&id, life + 1, State::Active, until()).await.unwrap());
        assert!(!table.soft_delete(&id, life, State::Suspended, until()).await.unwrap());
        let half_made = table.soft_delete(&id, life, State::Provisioning, until()).await;
        assert!(matches!(half_made, Err(StoreError::Illegal { .. })), "{half_made:?}");
        assert!(table.soft_delete(&id, life, State::Active, until()).await.unwrap());
        for to in [State::Active, State::Suspended] {
            let by_the_way = table.advance(&id, life, State::SoftDeleted, to).await;
            assert!(matches!(by_the_way, Err(StoreError::Illegal { .. })), "{by_the_way:?}");
        }
        assert_eq!(table.restore(&id, life + 1).await.unwrap(), None);
        let early = DateTime::from_timestamp(until().timestamp() - 60, 0).unwrap();
        assert!(!table.end_soft_deletion(&id, life, early).await.unwrap());
        assert!(!table.end_soft_deletion(&id, life + 1, until()).await.unwrap());
        // What is not final yet is not forgotten, and what is final does not come back.
        table.remove(&id, life).await.unwrap();
        assert!(table.find(&id).await.unwrap().is_some());
        let late = DateTime::from_timestamp(until().timestamp() + 60, 0).unwrap();
        assert!(table.end_soft_deletion(&id, life, late).await.unwrap());
        assert_eq!(table.find(&id).await.unwrap().unwrap().state, State::Deleting);
        assert_eq!(table.find(&id).await.unwrap().unwrap().delete_after, None);
        assert_eq!(table.restore(&id, life).await.unwrap(), None);
        table.remove(&id, life).await.unwrap();
        assert!(table.find(&id).await.unwrap().is_none());
    }
}
