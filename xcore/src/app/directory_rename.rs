//! Another name for a tenant, in the directory: two rows while it is under way, so that nobody can take either name.

use sea_orm::sea_query::{ColumnDef, Expr, Table};
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter, SqlErr, TransactionTrait};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::directory_credentials::{move_all, remove_all};
use super::directory_table::{DirectoryTable, bump, failed, now, tenant};
use crate::db::Transaction;
use crate::tenancy::{State, StoreError, TenantId};

/// Adds the columns. They may be null, for an older version of the app that goes on inserting tenants.
pub(super) struct Columns;

impl MigrationName for Columns {
    fn name(&self) -> &str {
        "m0005_rename"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Columns {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [tenant::Column::OtherName, tenant::Column::NextState] {
            let added = ColumnDef::new(column).string().null().to_owned();
            // One by one: SQLite takes one at a time.
            manager.alter_table(Table::alter().table(tenant::Entity).add_column(added).to_owned()).await?;
        }
        Ok(())
    }
}

impl DirectoryTable {
    pub(super) async fn begin_to_rename(&self, id: &TenantId, to: &TenantId) -> Result<(), StoreError> {
        let now = now();
        let change = self.db.begin().await.map_err(failed)?;
        // The life of the new name: whoever holds the tenant by the old one holds a life that ends.
        let life = bump(&change).await.map_err(failed)?;
        let row = tenant::Entity::find_by_id(id.as_str()).one(&change).await.map_err(failed)?;
        let row = row.ok_or(StoreError::NotFound { id: *id })?;
        let from = State::parse(&row.state);
        if from == State::Renaming && row.other_name.as_deref() == Some(to.as_str()) {
            return change.rollback().await.map_err(failed);
        }
        if !from.may_become(State::Renaming) {
            return Err(StoreError::Illegal { id: *id, from, to: State::Renaming });
        }
        // An older version of the app cannot take the name either: there is a row of it, in a state that it leaves alone.
        let reserved = tenant::ActiveModel {
            id: Set(to.to_string()),
            state: Set(State::Reserved.as_str().to_owned()),
            life: Set(life),
            server: Set(row.server),
            created_at: Set(row.created_at),
            updated_at: Set(now),
            since: Set(Some(now)),
            other_name: Set(Some(id.to_string())),
            ..Default::default()
        };
        match tenant::Entity::insert(reserved).exec_without_returning(&change).await {
            Ok(_) => {}
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                return Err(StoreError::Exists { id: *to });
            }
            Err(error) => return Err(failed(error)),
        }
        tenant::Entity::update_many()
            .col_expr(tenant::Column::State, Expr::value(State::Renaming.as_str()))
            .col_expr(tenant::Column::NextState, Expr::value(from.as_str()))
            .col_expr(tenant::Column::OtherName, Expr::value(to.as_str()))
            .col_expr(tenant::Column::UpdatedAt, Expr::value(now))
            .col_expr(tenant::Column::Since, Expr::value(now))
            .filter(tenant::Column::Id.eq(id.as_str()))
            .exec(&change)
            .await
            .map_err(failed)?;
        change.commit().await.map_err(failed)
    }

    pub(super) async fn end_of_renaming(
        &self,
        id: &TenantId,
        life: i64,
        is_renamed: bool,
    ) -> Result<bool, StoreError> {
        let change = self.db.begin().await.map_err(failed)?;
        bump(&change).await.map_err(failed)?;
        let Some((old, reserved)) = rows(&change, id, life).await.map_err(failed)? else {
            return change.rollback().await.map(|()| false).map_err(failed);
        };
        let next = old.next_state.as_deref().map_or(State::Foreign, State::parse);
        if !(State::Renaming.may_become(next) && State::Reserved.may_become(next)) {
            return Err(StoreError::Illegal { id: *id, from: State::Renaming, to: next });
        }
        let ended = if is_renamed {
            give(&change, &old, &reserved, next).await
        } else {
            give_back(&change, &old, &reserved, next).await
        };
        ended.map_err(failed)?;
        change.commit().await.map(|()| true).map_err(failed)
    }
}

/// The row of the tenant that is renaming and that of its new name.
async fn rows(
    change: &Transaction,
    id: &TenantId,
    life: i64,
) -> Result<Option<(tenant::Model, tenant::Model)>, DbErr> {
    let old = tenant::Entity::find_by_id(id.as_str())
        .filter(tenant::Column::Life.eq(life))
        .filter(tenant::Column::State.eq(State::Renaming.as_str()))
        .one(change)
        .await?;
    let Some(old) = old else { return Ok(None) };
    let Some(name) = old.other_name.clone() else { return Ok(None) };
    let reserved = tenant::Entity::find_by_id(name)
        .filter(tenant::Column::State.eq(State::Reserved.as_str()))
        .filter(tenant::Column::OtherName.eq(id.as_str()))
        .one(change)
        .await?;
    Ok(reserved.map(|reserved| (old, reserved)))
}

/// All that was noted by the old name is noted by the new one.
async fn give(
    change: &Transaction,
    old: &tenant::Model,
    new: &tenant::Model,
    next: State,
) -> Result<(), DbErr> {
    let now = now();
    tenant::Entity::update_many()
        .col_expr(tenant::Column::State, Expr::value(next.as_str()))
        .col_expr(tenant::Column::OtherName, Expr::value(None::<String>))
        .col_expr(tenant::Column::Version, Expr::value(old.version.clone()))
        .col_expr(tenant::Column::Plan, Expr::value(old.plan.clone()))
        .col_expr(tenant::Column::Metadata, Expr::value(old.metadata.clone()))
        .col_expr(tenant::Column::Settings, Expr::value(old.settings.clone()))
        .col_expr(tenant::Column::Reason, Expr::value(old.reason.clone()))
        .col_expr(tenant::Column::UpdatedAt, Expr::value(now))
        .col_expr(tenant::Column::Since, Expr::value(now))
        .filter(tenant::Column::Id.eq(&new.id))
        .exec(change)
        .await?;
    move_all(change, (&old.id, old.life), (&new.id, new.life)).await?;
    tenant::Entity::delete_by_id(&old.id).exec(change).await.map(drop)
}

/// The new name is nobody's, with what was given to it in the hope of the tenant.
async fn give_back(
    change: &Transaction,
    old: &tenant::Model,
    new: &tenant::Model,
    next: State,
) -> Result<(), DbErr> {
    let now = now();
    tenant::Entity::update_many()
        .col_expr(tenant::Column::State, Expr::value(next.as_str()))
        .col_expr(tenant::Column::OtherName, Expr::value(None::<String>))
        .col_expr(tenant::Column::NextState, Expr::value(None::<String>))
        .col_expr(tenant::Column::UpdatedAt, Expr::value(now))
        .col_expr(tenant::Column::Since, Expr::value(now))
        .filter(tenant::Column::Id.eq(&old.id))
        .exec(change)
        .await?;
    if let Ok(name) = TenantId::parse(&new.id) {
        remove_all(change, &name, new.life).await?;
    }
    tenant::Entity::delete_by_id(&new.id).exec(change).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::app::directory_table::tests::table;
    use crate::tenancy::{CredentialStore, DataVersion, DirectoryStore, ProfileChange, TenantRecord};

    fn id(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    async fn suspended(table: &DirectoryTable, name: &str) -> TenantRecord {
        table.insert(&id(name), &[]).await.unwrap();
        let life = table.find(&id(name)).await.unwrap().unwrap().life;
        table.advance(&id(name), life, State::Provisioning, State::Active).await.unwrap();
        table.advance_because(&id(name), life, State::Active, State::Suspended, Some("why")).await.unwrap();
        let version = DataVersion { text: "v1".to_owned(), migrations: BTreeSet::new() };
        table.set_version(&id(name), &version, true).await.unwrap();
        table.find(&id(name)).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn all_that_is_noted_of_a_tenant_goes_with_its_name() {
        let (table, _folder) = table().await;
        let old = suspended(&table, "acme").await;
        table.insert_domain(&old, "acme.test").await.unwrap();
        table.insert_key(&old, &[1; 32], "").await.unwrap();
        table.begin_renaming(&old.id, &id("globex")).await.unwrap();
        // The same once more, and a change in between.
        table.begin_renaming(&old.id, &id("globex")).await.unwrap();
        let change = ProfileChange::new().plan(Some("pro"));
        table.change(&old.id, &|profile| change.apply(profile)).await.unwrap();
        assert!(matches!(table.change(&id("globex"), &|_| Ok(())).await, Err(StoreError::NotFound { .. })));
        assert!(table.end_renaming(&old.id, old.life, true).await.unwrap());
        assert!(!table.end_renaming(&old.id, old.life, true).await.unwrap());

        assert_eq!(table.find(&old.id).await.unwrap(), None);
        let new = table.find(&id("globex")).await.unwrap().unwrap();
        assert_eq!((new.state, new.reason.as_deref(), new.other_name), (State::Suspended, Some("why"), None));
        assert_eq!((new.version.as_deref(), new.profile.plan.as_deref()), (Some("v1"), Some("pro")));
        assert!(new.life > old.life);
        for owner in [table.owner_of_domain("acme.test").await, table.owner_of_key(&[1; 32]).await] {
            let owner = owner.unwrap().unwrap();
            assert_eq!((owner.tenant, owner.life), (new.id, new.life));
        }
    }

    #[tokio::test]
    async fn both_names_are_taken_while_it_is_under_way_and_all_is_as_before_when_it_is_undone() {
        let (table, _folder) = table().await;
        let old = suspended(&table, "acme").await;
        suspended(&table, "taken").await;
        let refused = table.begin_renaming(&old.id, &id("taken")).await;
        assert!(matches!(refused, Err(StoreError::Exists { .. })), "{refused:?}");
        let refused = table.begin_renaming(&id("nobody"), &id("globex")).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
        table.begin_renaming(&old.id, &id("globex")).await.unwrap();
        for name in ["acme", "globex"] {
            let refused = table.insert(&id(name), &[]).await;
            assert!(matches!(refused, Err(StoreError::Exists { .. })), "{refused:?}");
            let refused = table.begin_renaming(&id("taken"), &id(name)).await;
            assert!(matches!(refused, Err(StoreError::Exists { .. })), "{refused:?}");
            let refused = table.begin_renaming(&id(name), &id("third")).await;
            assert!(matches!(refused, Err(StoreError::Illegal { .. })), "{refused:?}");
        }
        assert!(table.end_renaming(&old.id, old.life, false).await.unwrap());
        let back = table.find(&old.id).await.unwrap().unwrap();
        assert_eq!(TenantRecord { times: old.times, ..back }, old);
        assert_eq!(table.find(&id("globex")).await.unwrap(), None);
    }
}
