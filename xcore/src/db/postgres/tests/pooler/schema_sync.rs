//! `SchemaBuilder::sync`, each of its questions in a transaction of its own.

use super::super::schema_sync::each_tenant_by_itself;
use super::Behind;

#[tokio::test]
async fn a_schema_sync_behind_a_pooler_neither_sees_nor_touches_tables_of_others() {
    each_tenant_by_itself(&Behind::new(2).await.kitchen).await;
}
