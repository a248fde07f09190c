//! Statements that name their tables in full, and those that must not.

use std::sync::atomic::Ordering;

use futures_util::TryStreamExt;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement, TransactionTrait};

use super::{Kitchen, TABLES, bake, cake, count, eventually, id};
use crate::db::postgres::mutants::Mutant;
use crate::db::postgres::target::Target;
use crate::db::{DatabaseError, TenantDb};

const READ: &str = "SELECT name FROM cake ORDER BY id";

impl Kitchen {
    pub(super) fn switches(&self) -> usize {
        self.postgres.pool.stats.switches.load(Ordering::Relaxed)
    }

    /// Waits until a tenant's schema is known to be plain.
    pub(super) async fn plain(&self, names: &[&str]) {
        for name in names {
            eventually("that the schema is known", || async {
                self.postgres.pool.plain.admits(&id(name), 0)
            })
            .await;
        }
    }
}

async fn names(db: &TenantDb) -> Vec<String> {
    let read = Statement::from_string(DbBackend::Postgres, READ);
    let rows = db.query_all_raw(read).await.unwrap();
    rows.iter().map(|row| row.try_get("", "name").unwrap()).collect()
}

#[tokio::test]
async fn tenants_take_turns_on_one_session_without_a_switch() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
    kitchen.plain(&["acme", "globex"]).await;
    bake(&acme, "of acme").await;
    bake(&globex, "of globex").await;
    let before = kitchen.switches();
    for _ in 0..20 {
        assert_eq!(names(&acme).await, ["of acme"]);
        assert_eq!(names(&globex).await, ["of globex"]);
        assert_eq!((count(&acme).await, count(&globex).await), (1, 1));
        let streamed: Vec<_> = cake::Entity::find().stream(&acme).await.unwrap().try_collect().await.unwrap();
        assert_eq!(streamed.len(), 1);
    }
    assert_eq!(kitchen.switches(), before);
    // What is not understood is switched, and what follows is not confused by it.
    let opaque = Statement::from_string(
        DbBackend::Postgres,
        "SELECT name FROM cake WHERE pg_catalog.lower(name) <> ''",
    );
    assert_eq!(acme.query_all_raw(opaque).await.unwrap().len(), 1);
    assert_eq!(
        (names(&globex).await, names(&acme).await),
        (vec!["of globex".to_owned()], vec!["of acme".to_owned()])
    );
    assert!(kitchen.switches() > before);
}

/// A trigger that somebody else makes after the schema was found plain, and which relies on the path.
const AUDIT: &str = "CREATE FUNCTION acme.audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
     INSERT INTO audit VALUES (NEW.name); RETURN NEW; END $$;
     CREATE TRIGGER audit BEFORE INSERT ON acme.cake FOR EACH ROW EXECUTE FUNCTION acme.audit()";

async fn audited(mutant: Mutant) -> (u64, u64) {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let [acme, _] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
    kitchen.sql("CREATE TABLE acme.audit (name text); CREATE TABLE globex.audit (name text)").await;
    kitchen.plain(&["acme", "globex"]).await;
    let _unnoticed = kitchen.postgres.pool.watching.lock().await;
    kitchen.sql(AUDIT).await;
    kitchen.postgres.pool.mutant.choose(mutant);
    // The session is left on the path of globex.
    drop(kitchen.pool().lend(Target::Tenant(id("globex"))).await.unwrap());
    bake(&acme, "secret").await;
    let audits = async |schema: &str| {
        let mut beside = kitchen.beside().await;
        let text = format!("SELECT count(*) FROM {schema}.audit");
        sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(text)).fetch_one(&mut beside).await.unwrap() as u64
    };
    (audits("acme").await, audits("globex").await)
}

#[tokio::test]
async fn a_trigger_that_relies_on_the_path_never_meets_that_of_another_tenant() {
    assert_eq!(audited(Mutant::None).await, (1, 0));
    // The rule is what prevents it.
    assert_eq!(audited(Mutant::SendsInFullAnywhere).await, (0, 1));
}

#[tokio::test]
async fn what_a_tenant_defines_is_noticed_before_its_next_statement() {
    let kitchen = Kitchen::with(|settings| settings.connections = 2).await;
    let acme = kitchen.tenant("acme").await;
    acme.execute_unprepared("ALTER TABLE cake ALTER name TYPE varchar(99)").await.unwrap();
    kitchen.plain(&["acme"]).await;
    bake(&acme, "Pie").await;
    let lower = || Statement::from_string(DbBackend::Postgres, "SELECT lower(name) AS name FROM cake");
    let read = async || -> String {
        acme.query_one_raw(lower()).await.unwrap().unwrap().try_get("", "name").unwrap()
    };
    assert_eq!(read().await, "pie");
    // On the tenant's path it fits better than the server's own, which takes a `text`.
    let own = "CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE sql AS $$ SELECT 'own' $$";
    acme.execute_unprepared(own).await.unwrap();
    for _ in 0..20 {
        assert_eq!(read().await, "own");
    }
    let transaction = acme.begin().await.unwrap();
    transaction.execute_unprepared("DROP FUNCTION lower(varchar)").await.unwrap();
    assert_eq!(read().await, "own", "not committed");
    transaction.commit().await.unwrap();
    assert_eq!(read().await, "pie");
    kitchen.plain(&["acme"]).await;
    assert_eq!(read().await, "pie");
}

#[tokio::test]
async fn a_shared_table_is_read_behind_a_plain_schema() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let shared = kitchen.database.shared();
    shared.execute_unprepared(TABLES).await.unwrap();
    bake(&shared, "of all").await;
    kitchen.database.provision(&id("acme")).await.unwrap();
    let acme = kitchen.handle("acme");
    kitchen.plain(&["acme"]).await;
    for _ in 0..3 {
        assert_eq!(names(&acme).await, ["of all"]);
        assert_eq!(count(&acme).await, 1);
    }
    // Once it has one of its own, that one is read.
    acme.execute_unprepared(TABLES).await.unwrap();
    assert_eq!((names(&acme).await.len(), count(&acme).await), (0, 0));
}

#[tokio::test]
async fn a_schema_that_goes_is_an_error_and_not_the_shared_table() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    kitchen.sql(TABLES).await;
    let acme = kitchen.tenant("acme").await;
    kitchen.plain(&["acme"]).await;
    bake(&acme, "pie").await;
    kitchen.sql("ALTER SCHEMA acme RENAME TO elsewhere").await;
    for _ in 0..3 {
        let read = Statement::from_string(DbBackend::Postgres, READ);
        let error = acme.query_all_raw(read).await.unwrap_err();
        let missing =
            matches!(DatabaseError::of(error), DatabaseError::Missing { tenant } if tenant == id("acme"));
        assert!(missing);
    }
    kitchen.sql("ALTER SCHEMA elsewhere RENAME TO acme").await;
    assert_eq!(names(&acme).await, ["pie"]);
}

#[tokio::test]
async fn two_versions_of_a_table_side_by_side_share_no_plan() {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
    kitchen.plain(&["acme", "globex"]).await;
    bake(&acme, "pie").await;
    bake(&globex, "tart").await;
    for _ in 0..8 {
        assert_eq!((names(&acme).await.len(), names(&globex).await.len()), (1, 1));
    }
    kitchen.sql("ALTER TABLE globex.cake ALTER name TYPE varchar(20), ADD COLUMN since date").await;
    for _ in 0..8 {
        assert_eq!(
            (names(&acme).await, names(&globex).await),
            (vec!["pie".to_owned()], vec!["tart".to_owned()])
        );
    }
}
