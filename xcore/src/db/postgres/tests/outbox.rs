//! The outbox of a server, as tenants reach it.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, TransactionTrait};
use sqlx::{AssertSqlSafe, Executor, Row};

use super::pooler::Behind;
use super::roles::{is_refused, kitchen, run};
use super::{Kitchen, id};
use crate::db::DbRole;
use crate::scheduler::{PUT, prepare};

/// Writes a row as the framework does it.
async fn put(db: &impl ConnectionTrait, tenant: &str) -> Result<(), DbErr> {
    let values = [
        tenant.into(),
        1_i64.into(),
        "orders.ok#1".into(),
        1_i64.into(),
        "orders".into(),
        "ok".into(),
        None::<String>.into(),
    ];
    db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, PUT, values)).await.map(drop)
}

async fn rows(kitchen: &Kitchen) -> Vec<String> {
    let text = "SELECT tenant FROM xcore_outbox.queue ORDER BY number";
    let rows = kitchen.beside().await.fetch_all(AssertSqlSafe(text)).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A tenant writes rows of its own name, in a transaction, and nothing else.
async fn own_rows_only(kitchen: &Kitchen, mode: &str) {
    prepare(&kitchen.database).await.unwrap();
    prepare(&kitchen.database).await.unwrap();
    let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
    for (db, name) in [(&acme, "acme"), (&globex, "globex")] {
        let transaction = db.begin().await.unwrap();
        put(&transaction, name).await.unwrap();
        let undone = transaction.begin().await.unwrap();
        put(&undone, name).await.unwrap();
        undone.rollback().await.unwrap();
        transaction.commit().await.unwrap();
        let undone = db.begin().await.unwrap();
        put(&undone, name).await.unwrap();
        undone.rollback().await.unwrap();
    }
    assert_eq!(rows(kitchen).await, ["acme", "globex"], "{mode}");
    for other in ["globex", "public", "xcore_directory", "xcore_outbox", "nobody"] {
        let refused = put(&acme, other).await;
        let says = refused.as_ref().map_err(ToString::to_string);
        assert!(says.is_err_and(|says| says.contains("row-level security")), "{mode}, {other}: {refused:?}");
    }
    for text in [
        "SELECT * FROM xcore_outbox.queue",
        "UPDATE xcore_outbox.queue SET tenant = 'acme'",
        "DELETE FROM xcore_outbox.queue",
        "INSERT INTO xcore_outbox.queue (tenant, life, id, tick, plugin, method) VALUES ('acme', 1, '', 1, '', '') RETURNING number",
        "TRUNCATE xcore_outbox.queue",
        "CREATE TABLE xcore_outbox.of_acme (a int)",
    ] {
        assert!(is_refused(&run(&acme, text).await), "{mode}: {text}");
    }
    for text in ["ALTER TABLE xcore_outbox.queue DISABLE ROW LEVEL SECURITY", "DROP TABLE xcore_outbox.queue"]
    {
        assert!(run(&acme, text).await.is_err(), "{mode}: {text}");
    }
    assert_eq!(rows(kitchen).await, ["acme", "globex"], "{mode}");
    // The rule is what keeps them apart.
    let broken = "CREATE POLICY broken ON xcore_outbox.queue FOR INSERT WITH CHECK (true)";
    kitchen.beside().await.execute(AssertSqlSafe(broken)).await.unwrap();
    put(&acme, "globex").await.unwrap();
    assert_eq!(rows(kitchen).await, ["acme", "globex", "globex"], "{mode}");
}

#[tokio::test]
async fn a_tenant_with_a_role_or_a_login_writes_its_own_work_and_reads_none() {
    for role in [DbRole::SetRole, DbRole::Login] {
        own_rows_only(&kitchen(role, 2).await, &format!("{role:?}")).await;
    }
}

#[tokio::test]
async fn a_tenant_with_a_role_behind_a_pooler_writes_its_own_work_and_reads_none() {
    let behind = Behind::with(1, |settings| settings.db_role = DbRole::SetRole).await;
    own_rows_only(&behind.kitchen, "behind a pooler").await;
}

#[tokio::test]
async fn the_work_of_a_tenant_without_a_role_is_written_in_its_transaction_too() {
    let kitchen = Kitchen::new().await;
    prepare(&kitchen.database).await.unwrap();
    let acme = kitchen.tenant("acme").await;
    let transaction = acme.begin().await.unwrap();
    put(&transaction, id("acme").as_str()).await.unwrap();
    let undone = transaction.begin().await.unwrap();
    put(&undone, "acme").await.unwrap();
    undone.rollback().await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(rows(&kitchen).await, ["acme"]);
}
