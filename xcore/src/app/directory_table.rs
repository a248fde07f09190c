//! The managed directory: a table in a database of its own, which no tenant can read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, SqlErr, TransactionTrait,
};

use super::directory_columns::text_of;
use super::directory_versions;
use crate::db::{DIRECTORY_CHANNEL, SharedDb};
use crate::tenancy::{Change, DataVersion, DirectoryStore, State, StoreError, TenantId, TenantRecord};

/// The tenants.
pub(super) mod tenant {
    #![expect(unreachable_pub, reason = "the derive of SeaORM wants it")]
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "xcore_tenants")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub state: String,
        pub version: Option<String>,
        /// The revision in which it was inserted.
        pub life: i64,
        /// The server that holds its data.
        pub server: Option<String>,
        /// Seconds since 1970.
        pub created_at: i64,
        pub updated_at: i64,
        pub plan: Option<String>,
        /// JSON objects.
        pub metadata: Option<String>,
        pub settings: Option<String>,
        pub reason: Option<String>,
        /// When it came into its state.
        pub since: Option<i64>,
        /// While it is renaming or reserved.
        pub other_name: Option<String>,
        /// The state that one which is renaming comes into, or goes back to.
        pub next_state: Option<String>,
        /// Until when it can be restored, and the state that it had. Of a soft-deleted one only.
        pub delete_after: Option<i64>,
        pub state_before: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One row, whose number changes with every change of the tenants.
pub(super) mod revision {
    #![expect(unreachable_pub, reason = "the derive of SeaORM wants it")]
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "xcore_directory")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub revision: i64,
    }

    /// The only row.
    pub(in crate::app) const ROW: i32 = 1;

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The directory's store over its database.
pub(super) struct DirectoryTable {
    pub(super) db: SharedDb,
    /// Whether what stands behind the version of this program is written.
    has_version: AtomicBool,
}

impl DirectoryTable {
    pub(super) fn new(db: SharedDb) -> Self {
        Self { db, has_version: AtomicBool::new(false) }
    }

    async fn insert_as(&self, id: &TenantId, servers: &[Arc<str>], state: State) -> Result<(), StoreError> {
        let now = now();
        let change = self.db.begin().await.map_err(failed)?;
        // The number is never used again, also not when the tenant is deleted and made again.
        let life = bump(&change).await.map_err(failed)?;
        // That number is one row, so nobody else places a tenant until this is committed.
        let server = least_used(&change, servers).await.map_err(failed)?;
        let row = tenant::ActiveModel {
            id: Set(id.to_string()),
            state: Set(state.as_str().to_owned()),
            version: Set(None),
            life: Set(life),
            server: Set(server),
            created_at: Set(now),
            updated_at: Set(now),
            since: Set(Some(now)),
            ..Default::default()
        };
        match tenant::Entity::insert(row).exec_without_returning(&change).await {
            Ok(_) => {}
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                drop(change);
                return Err(match self.find(id).await? {
                    Some(TenantRecord { state: State::SoftDeleted, delete_after, .. }) => {
                        StoreError::SoftDeleted { id: *id, delete_after }
                    }
                    _ => StoreError::Exists { id: *id },
                });
            }
            Err(error) => return Err(failed(error)),
        }
        change.commit().await.map_err(failed)
    }
}

/// Tells other processes, in the transaction of the change, and gives the new revision.
///
/// It comes before the change itself, so that changes wait for each other here, and never crosswise for each other's rows.
pub(super) async fn bump<C: ConnectionTrait>(connection: &C) -> Result<i64, DbErr> {
    revision::Entity::update_many()
        .col_expr(revision::Column::Revision, Expr::col(revision::Column::Revision).add(1))
        .exec(connection)
        .await?;
    if connection.get_database_backend() == DbBackend::Postgres {
        // Heard when the transaction is committed, and not before.
        let notify = Func::cust("pg_notify").arg(DIRECTORY_CHANNEL).arg("");
        connection.query_one(Query::select().expr(notify)).await?;
    }
    read_revision(connection).await
}

async fn read_revision<C: ConnectionTrait>(connection: &C) -> Result<i64, DbErr> {
    let row = revision::Entity::find_by_id(revision::ROW).one(connection).await?;
    Ok(row.map_or(0, |row| row.revision))
}

/// Of the servers the one that has the least tenants, in whatever state. Those of no server are on the first, which is among
/// the candidates wherever there are several.
async fn least_used<C: ConnectionTrait>(
    connection: &C,
    servers: &[Arc<str>],
) -> Result<Option<String>, DbErr> {
    if servers.len() < 2 {
        return Ok(servers.first().map(ToString::to_string));
    }
    let counted: Vec<(Option<String>, i64)> = tenant::Entity::find()
        .select_only()
        .column(tenant::Column::Server)
        .column_as(tenant::Column::Id.count(), "tenants")
        .group_by(tenant::Column::Server)
        .into_tuple()
        .all(connection)
        .await?;
    let tenants_of = |at: usize, name: &str| -> i64 {
        let is_here = |server: Option<&str>| server.map_or(at == 0, |server| server == name);
        counted.iter().filter(|(server, _)| is_here(server.as_deref())).map(|(_, tenants)| tenants).sum()
    };
    let least = servers.iter().enumerate().min_by_key(|(at, name)| tenants_of(*at, name));
    Ok(least.map(|(_, name)| name.to_string()))
}

#[async_trait]
impl DirectoryStore for DirectoryTable {
    async fn find(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError> {
        let row = tenant::Entity::find_by_id(id.as_str()).one(&self.db).await.map_err(failed)?;
        Ok(row.and_then(record))
    }

    async fn find_routable(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError> {
        let routable = [State::Active, State::Suspended, State::Renaming].map(State::as_str);
        let found = tenant::Entity::find_by_id(id.as_str()).filter(tenant::Column::State.is_in(routable));
        Ok(found.one(&self.db).await.map_err(failed)?.and_then(record))
    }

    async fn list(&self) -> Result<Vec<TenantRecord>, StoreError> {
        let rows =
            tenant::Entity::find().order_by_asc(tenant::Column::Id).all(&self.db).await.map_err(failed)?;
        Ok(rows.into_iter().filter_map(record).collect())
    }

    async fn insert(&self, id: &TenantId, servers: &[Arc<str>]) -> Result<(), StoreError> {
        self.insert_as(id, servers, State::Provisioning).await
    }

    async fn insert_importing(&self, id: &TenantId, servers: &[Arc<str>]) -> Result<(), StoreError> {
        self.insert_as(id, servers, State::Importing).await
    }

    async fn advance_because(
        &self,
        id: &TenantId,
        life: i64,
        from: State,
        to: State,
        reason: Option<&str>,
    ) -> Result<bool, StoreError> {
        if !from.may_become(to) || from.is_soft(to) {
            return Err(StoreError::Illegal { id: *id, from, to });
        }
        let now = now();
        let change = self.db.begin().await.map_err(failed)?;
        bump(&change).await.map_err(failed)?;
        let mut update = tenant::Entity::update_many()
            .col_expr(tenant::Column::State, Expr::value(to.as_str()))
            .col_expr(tenant::Column::Reason, Expr::value(reason.map(str::to_owned)))
            .col_expr(tenant::Column::UpdatedAt, Expr::value(now));
        if from == State::SoftDeleted {
            update = update
                .col_expr(tenant::Column::DeleteAfter, Expr::value(None::<i64>))
                .col_expr(tenant::Column::StateBefore, Expr::value(None::<String>));
        }
        if from != to {
            update = update.col_expr(tenant::Column::Since, Expr::value(now));
        }
        let changed = update
            .filter(tenant::Column::Id.eq(id.as_str()))
            .filter(tenant::Column::Life.eq(life))
            .filter(tenant::Column::State.eq(from.as_str()))
            .exec(&change)
            .await
            .map_err(failed)?;
        if changed.rows_affected != 1 {
            // Nothing that others would have to look at.
            return change.rollback().await.map(|()| false).map_err(failed);
        }
        change.commit().await.map_err(failed)?;
        Ok(true)
    }

    async fn soft_delete(
        &self,
        id: &TenantId,
        life: i64,
        from: State,
        delete_after: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.note_soft_deletion(id, life, from, delete_after).await
    }

    async fn restore(&self, id: &TenantId, life: i64) -> Result<Option<State>, StoreError> {
        self.undo_soft_deletion(id, life).await
    }

    async fn end_soft_deletion(
        &self,
        id: &TenantId,
        life: i64,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.note_end(id, life, now).await
    }

    async fn change(&self, id: &TenantId, alter: &Change<'_>) -> Result<(), StoreError> {
        let change = self.db.begin().await.map_err(failed)?;
        bump(&change).await.map_err(failed)?;
        let row = tenant::Entity::find_by_id(id.as_str()).one(&change).await.map_err(failed)?;
        // A reserved name is no tenant's yet.
        let row = row.filter(|row| State::parse(&row.state) != State::Reserved);
        let Some(row) = row else { return Err(StoreError::NotFound { id: *id }) };
        let mut profile = row.profile();
        alter(&mut profile).map_err(|source| StoreError::Profile { id: *id, source })?;
        tenant::Entity::update_many()
            .col_expr(tenant::Column::Plan, Expr::value(profile.plan))
            .col_expr(tenant::Column::Metadata, Expr::value(text_of(&profile.metadata)))
            .col_expr(tenant::Column::Settings, Expr::value(text_of(&profile.settings)))
            .col_expr(tenant::Column::UpdatedAt, Expr::value(now()))
            .filter(tenant::Column::Id.eq(id.as_str()))
            .filter(tenant::Column::Life.eq(row.life))
            .exec(&change)
            .await
            .map_err(failed)?;
        change.commit().await.map_err(failed)
    }

    async fn set_version(
        &self,
        id: &TenantId,
        version: &DataVersion,
        is_served: bool,
    ) -> Result<(), StoreError> {
        // Before it is noted of any tenant, so that nobody reads a note behind which nothing stands. A store sees one program, so one
        // version.
        if !self.has_version.load(Ordering::Acquire) {
            directory_versions::write(&self.db, version).await.map_err(failed)?;
            self.has_version.store(true, Ordering::Release);
        }
        let note = tenant::Entity::update_many()
            .col_expr(tenant::Column::Version, Expr::value(version.text.as_str()))
            .filter(tenant::Column::Id.eq(id.as_str()))
            .filter(tenant::Column::Version.is_null().or(tenant::Column::Version.ne(version.text.as_str())));
        if !is_served {
            return note.exec(&self.db).await.map(|_| ()).map_err(failed);
        }
        let change = self.db.begin().await.map_err(failed)?;
        bump(&change).await.map_err(failed)?;
        let noted = note.exec(&change).await.map_err(failed)?;
        let told = if noted.rows_affected > 0 { change.commit().await } else { change.rollback().await };
        told.map_err(failed)
    }

    async fn migrations_of(&self, version: &str) -> Result<Option<BTreeSet<String>>, StoreError> {
        directory_versions::read(&self.db, version).await.map_err(failed)
    }

    async fn remove(&self, id: &TenantId, life: i64) -> Result<(), StoreError> {
        let change = self.db.begin().await.map_err(failed)?;
        // First, so that keys and domains that are given meanwhile wait for it, or are there to be removed.
        bump(&change).await.map_err(failed)?;
        let removed = tenant::Entity::delete_many()
            .filter(tenant::Column::Id.eq(id.as_str()))
            .filter(tenant::Column::Life.eq(life))
            .filter(tenant::Column::State.eq(State::Deleting.as_str()))
            .exec(&change)
            .await
            .map_err(failed)?;
        if removed.rows_affected > 0 {
            super::directory_credentials::remove_all(&change, id, life).await.map_err(failed)?;
        }
        change.commit().await.map_err(failed)
    }

    async fn begin_renaming(&self, id: &TenantId, to: &TenantId) -> Result<(), StoreError> {
        self.begin_to_rename(id, to).await
    }

    async fn end_renaming(&self, id: &TenantId, life: i64, is_renamed: bool) -> Result<bool, StoreError> {
        self.end_of_renaming(id, life, is_renamed).await
    }

    fn is_managed(&self) -> bool {
        true
    }

    async fn revision(&self) -> Result<i64, StoreError> {
        read_revision(&self.db).await.map_err(failed)
    }
}

/// A row that this version cannot read as a tenant is left alone and hides no other.
fn record(row: tenant::Model) -> Option<TenantRecord> {
    let Ok(id) = TenantId::parse(&row.id) else {
        tracing::warn!(
            id = row.id,
            "the directory holds a name that is no tenant id; a newer version may have made it"
        );
        return None;
    };
    let (state, profile, times) = (State::parse(&row.state), row.profile(), row.times());
    Some(TenantRecord {
        id,
        state,
        version: row.version,
        life: row.life,
        server: row.server.map(Arc::from),
        reason: row.reason,
        other_name: row.other_name.and_then(|name| TenantId::parse(&name).ok()),
        delete_after: row.delete_after.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        profile,
        times,
    })
}

pub(super) fn failed(error: DbErr) -> StoreError {
    StoreError::Database { source: Box::new(error) }
}

pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(super) mod tests;
