//! API keys and domains of tenants, in the directory's database.

use async_trait::async_trait;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, Schema,
    SqlErr, TransactionTrait,
};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::directory_table::{DirectoryTable, bump, failed, now, tenant};
use crate::db::Transaction;
use crate::tenancy::{CredentialStore, KeyHash, Owner, StoreError, TenantId, TenantRecord, hex};

/// The API keys. Of a key nothing is kept but its hash.
mod key {
    #![expect(unreachable_pub, reason = "the derive of SeaORM wants it")]
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "xcore_api_keys")]
    pub struct Model {
        /// SHA-256, in hexadecimal digits.
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: String,
        /// What it is called by; no secret.
        #[sea_orm(unique)]
        pub id: String,
        pub tenant: String,
        pub life: i64,
        pub label: String,
        /// Seconds since 1970.
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The domains. A domain belongs to one tenant.
mod domain {
    #![expect(unreachable_pub, reason = "the derive of SeaORM wants it")]
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "xcore_domains")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub domain: String,
        pub tenant: String,
        pub life: i64,
        /// Seconds since 1970.
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Makes the tables.
pub(super) struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &str {
        "m0002_credentials"
    }
}

#[async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let schema = Schema::new(manager.get_database_backend());
        manager.create_table(schema.create_table_from_entity(key::Entity)).await?;
        manager.create_table(schema.create_table_from_entity(domain::Entity)).await
    }
}

/// An API key, without what is secret of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiKeyRecord {
    /// What it is called by.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// When it was made, in seconds since 1970.
    pub created_at: i64,
}

/// A domain of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DomainRecord {
    /// The domain, in ASCII.
    pub domain: String,
    /// Whose it is.
    pub tenant: TenantId,
}

#[async_trait]
impl CredentialStore for DirectoryTable {
    async fn owner_of_key(&self, hash: &KeyHash) -> Result<Option<Owner>, StoreError> {
        let row = key::Entity::find_by_id(hex(hash)).one(&self.db).await.map_err(failed)?;
        Ok(row.and_then(|row| owner(&row.tenant, row.life)))
    }

    async fn owner_of_domain(&self, domain: &str) -> Result<Option<Owner>, StoreError> {
        let row = domain::Entity::find_by_id(domain).one(&self.db).await.map_err(failed)?;
        Ok(row.and_then(|row| owner(&row.tenant, row.life)))
    }
}

fn owner(tenant: &str, life: i64) -> Option<Owner> {
    Some(Owner { tenant: TenantId::parse(tenant).ok()?, life })
}

/// Every change moves the revision on in its own transaction, so that the other processes see it as they see a change of
/// the tenants.
impl DirectoryTable {
    /// Begins to give something to a life of a tenant, which must not have ended since it was looked up: what comes after its
    /// deletion would never be removed, and a domain would be nobody's and taken.
    async fn begin_for(&self, owner: &TenantRecord) -> Result<Transaction, StoreError> {
        let change = self.db.begin().await.map_err(failed)?;
        // First: a deletion waits here, or has been waited for.
        bump(&change).await.map_err(failed)?;
        let tenant =
            tenant::Entity::find_by_id(owner.id.as_str()).filter(tenant::Column::Life.eq(owner.life));
        match tenant.one(&change).await.map_err(failed)? {
            Some(_) => Ok(change),
            None => Err(StoreError::NotFound { id: owner.id }),
        }
    }

    pub(super) async fn insert_key(
        &self,
        owner: &TenantRecord,
        hash: &KeyHash,
        label: &str,
    ) -> Result<String, StoreError> {
        let hash = hex(hash);
        // Of no use to who wants the key, and long enough to be nobody else's.
        let id = hash[..16].to_owned();
        let row = key::ActiveModel {
            hash: Set(hash),
            id: Set(id.clone()),
            tenant: Set(owner.id.to_string()),
            life: Set(owner.life),
            label: Set(label.to_owned()),
            created_at: Set(now()),
        };
        let change = self.begin_for(owner).await?;
        key::Entity::insert(row).exec_without_returning(&change).await.map_err(failed)?;
        change.commit().await.map_err(failed)?;
        Ok(id)
    }

    pub(super) async fn keys_of(&self, owner: &TenantRecord) -> Result<Vec<ApiKeyRecord>, StoreError> {
        let rows = key::Entity::find()
            .filter(key::Column::Tenant.eq(owner.id.as_str()))
            .filter(key::Column::Life.eq(owner.life))
            .order_by_asc(key::Column::CreatedAt)
            .order_by_asc(key::Column::Id)
            .all(&self.db)
            .await
            .map_err(failed)?;
        let record =
            |row: key::Model| ApiKeyRecord { id: row.id, label: row.label, created_at: row.created_at };
        Ok(rows.into_iter().map(record).collect())
    }

    pub(super) async fn remove_key(&self, id: &str) -> Result<(), StoreError> {
        let change = self.db.begin().await.map_err(failed)?;
        bump(&change).await.map_err(failed)?;
        let removed =
            key::Entity::delete_many().filter(key::Column::Id.eq(id)).exec(&change).await.map_err(failed)?;
        if removed.rows_affected == 0 {
            return Err(StoreError::NoSuchKey { key: id.to_owned() });
        }
        change.commit().await.map_err(failed)
    }

    pub(super) async fn insert_domain(&self, owner: &TenantRecord, domain: &str) -> Result<(), StoreError> {
        let row = domain::ActiveModel {
            domain: Set(domain.to_owned()),
            tenant: Set(owner.id.to_string()),
            life: Set(owner.life),
            created_at: Set(now()),
        };
        let change = self.begin_for(owner).await?;
        match domain::Entity::insert(row).exec_without_returning(&change).await {
            Ok(_) => change.commit().await.map_err(failed),
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                drop(change);
                let holder = self.owner_of_domain(domain).await?;
                let id = holder.map_or(owner.id, |holder| holder.tenant);
                Err(StoreError::DomainTaken { domain: domain.to_owned(), id })
            }
            Err(error) => Err(failed(error)),
        }
    }

    pub(super) async fn remove_domain(&self, domain: &str) -> Result<(), StoreError> {
        let change = self.db.begin().await.map_err(failed)?;
        bump(&change).await.map_err(failed)?;
        let removed = domain::Entity::delete_by_id(domain).exec(&change).await.map_err(failed)?;
        if removed.rows_affected == 0 {
            return Err(StoreError::NoSuchDomain { domain: domain.to_owned() });
        }
        change.commit().await.map_err(failed)
    }

    pub(super) async fn domains(&self) -> Result<Vec<DomainRecord>, StoreError> {
        let rows = domain::Entity::find()
            .order_by_asc(domain::Column::Domain)
            .all(&self.db)
            .await
            .map_err(failed)?;
        let record = |row: domain::Model| {
            Some(DomainRecord { domain: row.domain, tenant: TenantId::parse(&row.tenant).ok()? })
        };
        Ok(rows.into_iter().filter_map(record).collect())
    }
}

/// Takes what a life of a tenant has: the next tenant of its name begins with nothing.
pub(super) async fn remove_all<C: ConnectionTrait>(
    change: &C,
    id: &TenantId,
    life: i64,
) -> Result<(), DbErr> {
    key::Entity::delete_many()
        .filter(key::Column::Tenant.eq(id.as_str()))
        .filter(key::Column::Life.eq(life))
        .exec(change)
        .await?;
    domain::Entity::delete_many()
        .filter(domain::Column::Tenant.eq(id.as_str()))
        .filter(domain::Column::Life.eq(life))
        .exec(change)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use sea_orm::PaginatorTrait;

    use super::*;
    use crate::app::directory_table::tests::table;
    use crate::tenancy::{DirectoryStore, State};

    #[tokio::test]
    async fn nothing_is_given_to_a_life_that_has_ended() {
        let (table, _folder) = table().await;
        let acme = TenantId::parse("acme").unwrap();
        table.insert(&acme, &[]).await.unwrap();
        let first = table.find(&acme).await.unwrap().unwrap();
        table.insert_domain(&first, "acme.test").await.unwrap();
        table.insert_key(&first, &[1; 32], "").await.unwrap();
        assert!(table.advance(&acme, first.life, State::Provisioning, State::Deleting).await.unwrap());
        table.remove(&acme, first.life).await.unwrap();
        assert_eq!(table.owner_of_domain("acme.test").await.unwrap(), None);
        assert_eq!(table.owner_of_key(&[1; 32]).await.unwrap(), None);
        table.insert(&acme, &[]).await.unwrap();
        // Looked up before the deletion, given after it.
        let late = table.insert_domain(&first, "acme.test").await;
        assert!(matches!(late, Err(StoreError::NotFound { .. })), "{late:?}");
        let late = table.insert_key(&first, &[2; 32], "").await;
        assert!(matches!(late, Err(StoreError::NotFound { .. })), "{late:?}");
        let second = table.find(&acme).await.unwrap().unwrap();
        table.insert_domain(&second, "acme.test").await.unwrap();
    }

    /// The deletion waits for a key that is being made and takes it along, or the key comes too late.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_key_is_left_of_a_tenant_that_is_deleted_while_it_is_made() {
        let (table, _folder) = table().await;
        let table = Arc::new(table);
        let acme = TenantId::parse("acme").unwrap();
        let (mut made, mut late) = (0, 0);
        for round in 0..12_u8 {
            table.insert(&acme, &[]).await.unwrap();
            let owner = table.find(&acme).await.unwrap().unwrap();
            assert!(table.advance(&acme, owner.life, State::Provisioning, State::Deleting).await.unwrap());
            let making: Vec<_> = (0..8_u8)
                .map(|number| {
                    let (table, owner) = (Arc::clone(&table), owner.clone());
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(u64::from(number))).await;
                        table.insert_key(&owner, &[round * 8 + number; 32], "").await.is_ok()
                    })
                })
                .collect();
            tokio::time::sleep(Duration::from_millis(u64::from(round))).await;
            table.remove(&acme, owner.life).await.unwrap();
            for key in making {
                if key.await.unwrap() { made += 1 } else { late += 1 }
            }
            assert_eq!(key::Entity::find().count(&table.db).await.unwrap(), 0, "round {round}");
        }
        assert!(made > 0 && late > 0, "they did not race: {made} made, {late} late");
    }
}
