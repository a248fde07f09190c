//! Tenants with roles behind a pooler: the role travels with the path.

use sea_orm::{ConnectionTrait, TransactionTrait};

use super::super::roles::{FOREIGN, cakes, is_no_role, is_refused, run};
use super::super::{TABLES, bake, count, id};
use super::{Behind, Pooler};
use crate::db::postgres::mutants::Mutant;
use crate::db::{Database, DatabaseError, DbRole};

async fn behind() -> Behind {
    Behind::with(1, |settings| settings.db_role = DbRole::SetRole).await
}

#[tokio::test]
async fn a_tenant_with_a_role_reaches_no_other_schema_behind_a_pooler() {
    let behind = behind().await;
    let kitchen = &behind.kitchen;
    let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
    bake(&globex, "of globex").await;
    for text in FOREIGN {
        bake(&acme, text).await;
        assert!(run(&acme, text).await.is_err(), "{text}");
        let transaction = acme.begin().await.unwrap();
        assert!(run(&transaction, text).await.is_err(), "{text} in a transaction");
        transaction.rollback().await.unwrap();
    }
    assert_eq!((count(&acme).await, count(&globex).await), (FOREIGN.len() as u64, 1));
    assert!(is_refused(&run(&acme, "SELECT * FROM globex.cake").await));
    kitchen.pool().mutant.choose(Mutant::ForgetsTheRole);
    assert!(run(&acme, "SELECT * FROM globex.cake").await.is_ok(), "the broken rule reads another tenant");
}

#[tokio::test]
async fn a_role_that_was_put_off_is_taken_on_again_behind_a_pooler() {
    let behind = behind().await;
    let kitchen = &behind.kitchen;
    let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
    let other = kitchen.postgres.roles.name(&id("globex"));
    let foreign = "SELECT * FROM globex.cake";
    for put_off in ["RESET ROLE", "SELECT set_config('role', 'none', false)", &format!("SET ROLE {other}")] {
        run(&acme, put_off).await.unwrap();
        assert!(is_refused(&run(&acme, foreign).await), "{put_off}");
        assert_eq!(count(&globex).await, 0);
        let transaction = acme.begin().await.unwrap();
        run(&transaction, put_off).await.unwrap();
        assert_eq!(count(&transaction).await, 0, "its own tables are there again");
        assert!(is_refused(&run(&transaction, foreign).await), "{put_off} in a transaction");
        transaction.rollback().await.unwrap();
    }
    // Shared tables and the directory are reached with the app's own rights.
    kitchen.database.shared().execute_unprepared("CREATE TABLE rate (a int)").await.unwrap();
    run(&acme, "INSERT INTO rate VALUES (1)").await.unwrap();
}

#[tokio::test]
async fn a_schema_that_the_role_cannot_use_is_an_error_behind_a_pooler() {
    let behind = behind().await;
    let kitchen = &behind.kitchen;
    kitchen.database.shared().execute_unprepared(TABLES).await.unwrap();
    let acme = kitchen.tenant("acme").await;
    let owner = kitchen.postgres.roles.name(&id("acme"));
    for (breaks, mends) in [
        (
            format!("REVOKE USAGE ON SCHEMA acme FROM {owner}"),
            format!("GRANT USAGE ON SCHEMA acme TO {owner}"),
        ),
        ("ALTER SCHEMA acme OWNER TO postgres".to_owned(), format!("ALTER SCHEMA acme OWNER TO {owner}")),
    ] {
        kitchen.sql(&breaks).await;
        assert!(is_no_role(cakes(&acme).await), "{breaks}");
        kitchen.sql(&mends).await;
        assert_eq!(count(&acme).await, 0);
    }
    let ghost = cakes(&kitchen.handle("ghost")).await.map_err(DatabaseError::of);
    assert!(matches!(ghost, Err(DatabaseError::Missing { .. })), "{ghost:?}");
}

#[tokio::test]
async fn logins_of_tenants_are_refused_behind_a_pooler() {
    let kitchen = super::Kitchen::new().await;
    let pooler = Pooler::start(kitchen.server, "transaction", 1);
    let mut settings = pooler.settings(&kitchen.settings, kitchen.server);
    settings.db_role = DbRole::Login;
    let refused = Database::open(settings).await.map(drop);
    assert!(matches!(refused, Err(DatabaseError::PoolerUnfit { .. })), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("set_role"));
}
