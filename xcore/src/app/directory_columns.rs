//! What the directory's table holds of a tenant besides its name, state and life.

use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use sea_orm::sea_query::{ColumnDef, Iden, Table};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};
use serde_json::{Map, Value};

use super::directory_table::tenant;
use crate::tenancy::{Profile, Times};

/// Adds the columns. All of them may be null, so that an older version of the app, which runs until it is replaced, can go on
/// inserting tenants.
pub(super) struct Columns;

impl MigrationName for Columns {
    fn name(&self) -> &str {
        "m0004_states"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Columns {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use tenant::Column::{Metadata, Plan, Reason, Settings, Since};
        for column in [Plan, Metadata, Settings, Reason, Since] {
            let name = column.unquoted();
            let mut added = ColumnDef::new(column);
            if name == "since" {
                added.big_integer()
            } else {
                added.text()
            };
            // One by one: SQLite takes one at a time.
            manager
                .alter_table(Table::alter().table(tenant::Entity).add_column(added.null()).to_owned())
                .await?;
        }
        Ok(())
    }
}

impl tenant::Model {
    pub(super) fn profile(&self) -> Profile {
        let members = |text: &Option<String>| -> Map<String, Value> {
            let read = text.as_deref().map(serde_json::from_str).transpose();
            read.unwrap_or_else(|error| {
                tracing::warn!(tenant = self.id, %error, "the directory holds metadata or settings that are no JSON object");
                None
            })
            .unwrap_or_default()
        };
        Profile {
            plan: self.plan.clone(),
            metadata: members(&self.metadata),
            settings: members(&self.settings),
        }
    }

    pub(super) fn times(&self) -> Option<Times> {
        let time = |seconds| DateTime::<Utc>::from_timestamp(seconds, 0);
        let created = time(self.created_at)?;
        // An older version has inserted it.
        let since = self.since.and_then(time).unwrap_or(created);
        Some(Times { created, since, updated: time(self.updated_at)? })
    }
}

/// `None` for an empty one.
pub(super) fn text_of(members: &Map<String, Value>) -> Option<String> {
    // Maps of JSON values with text keys can always be written.
    (!members.is_empty()).then(|| serde_json::to_string(members).unwrap_or_default())
}
