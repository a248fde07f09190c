//! What code of users does to a session that other tenants get, though no statement shows it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};

use super::{Kitchen, bake, count, eventually, id};
use crate::db::Database;
use crate::db::TenantDb;
use crate::db::postgres::mutants::Mutant;
use crate::db::postgres::target::Target;
use crate::tenancy::Tenant;

/// A trigger that makes a temporary table in the way of everybody's own.
const SHADOW: &str = "CREATE FUNCTION acme.shadow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
     CREATE TEMP TABLE IF NOT EXISTS cake AS SELECT 1 AS id, NEW.name, 1 AS price; RETURN NEW; END $$;
     CREATE TRIGGER shadow BEFORE INSERT ON acme.cake FOR EACH ROW EXECUTE FUNCTION acme.shadow()";

/// The names in a table, by the path: a name with a schema is not rewritten.
async fn by_path(db: &TenantDb) -> Vec<String> {
    let text = "SELECT name FROM cake WHERE pg_catalog.length(name) > 0";
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, text)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "name").unwrap()).collect()
}

async fn two() -> (Kitchen, [TenantDb; 2]) {
    let kitchen = Kitchen::with(|settings| settings.connections = 1).await;
    let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
    kitchen.plain_ones(&["acme", "globex"]).await;
    (kitchen, [acme, globex])
}

impl Kitchen {
    async fn plain_ones(&self, names: &[&str]) {
        for name in names {
            eventually("that the schema is known", || async {
                self.postgres.pool.plain.admits(&id(name), 0)
            })
            .await;
        }
    }

    /// Waits until it is known what functions there are.
    pub(super) async fn known(&self, harmless: &[&str], others: &[&str]) {
        let alters = |name: &&str| self.postgres.pool.code.may_alter(Target::Tenant(id(name)));
        eventually("that the functions are known", || async {
            others.iter().all(alters) && !harmless.iter().any(alters)
        })
        .await;
    }
}

/// What the next tenant sees of a session in which a trigger that nobody knew of made a temporary table.
async fn shadowed(mutant: Mutant) -> Vec<String> {
    let (kitchen, [acme, globex]) = two().await;
    // Before it is noticed.
    let _unnoticed = kitchen.postgres.pool.watching.lock().await;
    kitchen.sql(SHADOW).await;
    kitchen.postgres.pool.mutant.choose(mutant);
    bake(&acme, "secret").await;
    let seen = by_path(&globex).await;
    assert!(count(&globex).await == 0, "named in full");
    seen
}

#[tokio::test]
async fn a_temporary_table_of_a_trigger_is_not_read_by_the_next_tenant() {
    assert!(shadowed(Mutant::None).await.is_empty());
    assert!(shadowed(Mutant::BelievesFunctionsHarmless).await.is_empty(), "a switch sees it");
    // The rule is what prevents it.
    assert_eq!(shadowed(Mutant::LooksAtNothing).await, ["secret"]);
}

/// What is left in a session: settings, role, channels, prepared statements, locks.
const LEFT: &str = "SELECT concat_ws(' ', nullif(current_setting('xcore.mark', true), ''),
     (SELECT 'prepared' FROM pg_prepared_statements WHERE from_sql LIMIT 1),
     (SELECT 'listens' FROM pg_listening_channels() LIMIT 1),
     (SELECT 'lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() LIMIT 1),
     nullif(current_setting('TimeZone'), 'UTC'), nullif(current_user, session_user)) AS seen";

async fn left(db: &TenantDb) -> String {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, LEFT)).await.unwrap();
    row.unwrap().try_get("", "seen").unwrap()
}

const DOES: [&str; 6] = [
    "PERFORM set_config('xcore.mark', 'marked', false)",
    "PERFORM set_config('TimeZone', 'Asia/Tokyo', false)",
    "LISTEN secrets",
    "EXECUTE 'PREPARE secret AS SELECT 1'",
    "PERFORM pg_advisory_lock(77)",
    "SET ROLE pg_monitor",
];

/// As this role the tenant's own tables are not readable, in the same transaction.
const ROLE: usize = 5;

/// The statements that reach the code, where `{}` is its name.
const REACHES: [&str; 5] = [
    "SELECT o.hidden FROM cake o",
    "SELECT !!! name FROM cake",
    "INSERT INTO cake (name, price) VALUES ('x', 1)",
    "SELECT * FROM seen",
    "UPDATE cake SET price = 2",
];

fn hidden(does: &str) -> String {
    format!(
        "CREATE FUNCTION acme.act() RETURNS int LANGUAGE plpgsql AS $$ BEGIN {does}; RETURN 1; END $$;
         CREATE FUNCTION acme.hidden(o acme.cake) RETURNS int LANGUAGE sql AS 'SELECT acme.act()';
         CREATE FUNCTION acme.of_text(o text) RETURNS int LANGUAGE sql AS 'SELECT acme.act()';
         CREATE OPERATOR acme.!!! (RIGHTARG = text, FUNCTION = acme.of_text);
         CREATE VIEW acme.seen AS SELECT acme.act() AS n;
         ALTER TABLE acme.cake ADD acted int DEFAULT acme.act();
         CREATE FUNCTION acme.fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM acme.act(); RETURN NEW; END $$;
         CREATE TRIGGER fires BEFORE UPDATE ON acme.cake FOR EACH ROW EXECUTE FUNCTION acme.fires()"
    )
}

/// What the next tenant finds in the session, for each thing that is done and each way to it.
async fn found_afterwards(mutant: Mutant) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (what, does) in DOES.iter().enumerate() {
        let (kitchen, [acme, globex]) = two().await;
        acme.execute_unprepared(&hidden(does)).await.unwrap();
        bake(&acme, "pie").await;
        kitchen.known(&["globex"], &["acme"]).await;
        assert_eq!(left(&globex).await, "");
        kitchen.postgres.pool.mutant.choose(mutant);
        for (way, text) in REACHES.iter().enumerate() {
            for transaction in [false, true] {
                if transaction {
                    let transaction = acme.begin().await.unwrap();
                    transaction
                        .query_all_raw(Statement::from_string(DbBackend::Postgres, *text))
                        .await
                        .unwrap();
                    if what != ROLE {
                        assert!(count(&transaction).await > 0, "{does}, {text}");
                    }
                    transaction.commit().await.unwrap();
                } else {
                    acme.query_all_raw(Statement::from_string(
                        DbBackend::Postgres,
                        text.replace("'x'", "'y'"),
                    ))
                    .await
                    .unwrap();
                }
                if !left(&globex).await.is_empty() {
                    found.push((what, way));
                }
                // This resets it in any case.
                acme.execute_unprepared("RESET ALL").await.unwrap();
                acme.execute_unprepared("DELETE FROM cake WHERE name IN ('x', 'y')").await.unwrap();
            }
        }
    }
    found
}

#[tokio::test]
async fn what_code_that_no_text_shows_does_to_a_session_ends_with_the_statement() {
    assert_eq!(found_afterwards(Mutant::None).await, []);
    // The rule is what prevents it, in each case.
    let mut broken = found_afterwards(Mutant::LooksAtNothing).await;
    broken.dedup();
    let all: Vec<_> =
        (0..DOES.len()).flat_map(|what| (0..REACHES.len()).map(move |way| (what, way))).collect();
    assert_eq!(broken, all);
}

/// The same of a schema that is plain: its statements are sent in full, and the session may stand on its path.
async fn left_by_a_plain_schema(mutant: Mutant) -> String {
    let (kitchen, [acme, globex]) = two().await;
    bake(&acme, "pie").await;
    acme.execute_unprepared(
        "CREATE FUNCTION hidden(o cake) RETURNS text LANGUAGE sql AS $$ SELECT set_config('xcore.mark', 'marked', false) $$",
    )
    .await
    .unwrap();
    kitchen.known(&["globex"], &["acme"]).await;
    kitchen.plain_ones(&["acme"]).await;
    kitchen.postgres.pool.mutant.choose(mutant);
    assert_eq!(by_path(&acme).await, ["pie"], "it stands on acme");
    acme.query_one_raw(Statement::from_string(DbBackend::Postgres, "SELECT o.hidden FROM cake AS o"))
        .await
        .unwrap();
    left(&globex).await
}

#[tokio::test]
async fn a_function_that_looks_like_a_column_is_not_met_by_statements_in_full() {
    assert_eq!(left_by_a_plain_schema(Mutant::None).await, "");
    assert_eq!(left_by_a_plain_schema(Mutant::BelievesFunctionsHarmless).await, "marked");
}

#[tokio::test]
async fn expressions_that_call_the_servers_own_functions_count_as_well() {
    for text in [
        "ALTER TABLE acme.cake ADD mark text DEFAULT set_config('xcore.mark', 'marked', false)",
        "CREATE VIEW acme.marked AS SELECT set_config('xcore.mark', 'marked', false)",
        "ALTER TABLE acme.cake ADD CHECK (set_config('xcore.mark', 'marked', false) <> '')",
        "CREATE DOMAIN acme.marked AS text CHECK (pg_try_advisory_lock(5))",
        "CREATE POLICY marked ON acme.cake USING (pg_try_advisory_lock(5))",
        "CREATE RULE marked AS ON INSERT TO acme.cake DO ALSO SELECT set_config('xcore.mark', 'marked', false)",
        "CREATE OPERATOR acme.!!! (RIGHTARG = bigint, FUNCTION = pg_advisory_lock)",
        "CREATE AGGREGATE acme.marked (text, bool) (SFUNC = set_config, STYPE = text, INITCOND = 'xcore.mark')",
        "CREATE FUNCTION globex.fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER fires BEFORE UPDATE ON acme.cake FOR EACH ROW EXECUTE FUNCTION globex.fires()",
    ] {
        let (kitchen, [acme, _globex]) = two().await;
        acme.execute_unprepared(text).await.unwrap();
        kitchen.known(&["globex"], &["acme"]).await;
    }
    for text in [
        "CREATE FUNCTION public.leak() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RESET ALL; RETURN NEW; END'",
        "CREATE SCHEMA lib; CREATE FUNCTION lib.leak() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RESET ALL; RETURN NEW; END'",
    ] {
        let (kitchen, _) = two().await;
        kitchen.sql(text).await;
        kitchen.known(&[], &["acme", "globex"]).await;
    }
}

#[tokio::test]
async fn harmless_functions_cost_no_reset() {
    let (kitchen, [acme, globex]) = two().await;
    acme.execute_unprepared(
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.price := NEW.price + 1; RETURN NEW; END $$;
         CREATE TRIGGER touch BEFORE INSERT ON cake FOR EACH ROW EXECUTE FUNCTION touch()",
    )
    .await
    .unwrap();
    kitchen.known(&["acme", "globex"], &[]).await;
    let resets = || kitchen.postgres.pool.stats.resets.load(Ordering::Relaxed);
    let before = resets();
    for n in 0..5 {
        assert_eq!(bake(&acme, &format!("pie {n}")).await.price, 2);
        assert_eq!(by_path(&acme).await.len(), n + 1);
        assert!(by_path(&globex).await.is_empty());
    }
    assert_eq!(resets(), before);
    // What globex defines costs acme nothing.
    globex.execute_unprepared("CREATE TABLE tart (id int)").await.unwrap();
    let before = resets();
    by_path(&acme).await;
    eventually("a look", || async { resets() >= before }).await;
    assert!(resets() <= before + 1, "that of the definition itself");
}

#[tokio::test]
async fn what_another_process_defines_is_noticed() {
    let (kitchen, [acme, globex]) = two().await;
    bake(&globex, "tart").await;
    // An app of its own on the same database.
    let other = Database::open(kitchen.settings.clone()).await.unwrap();
    let tenant = other.tenant(&Tenant::admit(id("acme"), 0));
    // It does not fail where the path names nobody, but finds nothing there.
    tenant
        .execute_unprepared(
            "ALTER TABLE cake ALTER name DROP NOT NULL;
             CREATE FUNCTION asks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 NEW.name := to_regclass('cake')::text; RETURN NEW; END $$",
        )
        .await
        .unwrap();
    // Of a function, and then of what is none.
    kitchen.known(&["globex"], &["acme"]).await;
    kitchen.plain_ones(&["acme"]).await;
    let trigger = "CREATE TRIGGER asks BEFORE INSERT ON cake FOR EACH ROW EXECUTE FUNCTION asks()";
    tenant.execute_unprepared(trigger).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    bake(&acme, "pie").await;
    assert_eq!(by_path(&acme).await, ["cake"]);
    // What is made past the framework is noticed when it is a function.
    kitchen.sql(&SHADOW.replace("acme.", "globex.")).await;
    kitchen.known(&[], &["acme", "globex"]).await;
    other.close().await;
}

#[tokio::test]
async fn a_text_without_a_table_shares_no_plan() {
    let (kitchen, [acme, globex]) = two().await;
    let text = Statement::from_string(DbBackend::Postgres, "SELECT 1 AS one");
    for db in [&acme, &globex] {
        db.query_one_raw(text.clone()).await.unwrap();
    }
    let before = kitchen.postgres.pool.stats.in_full.load(Ordering::Relaxed);
    globex.query_one_raw(text).await.unwrap();
    assert_eq!(kitchen.postgres.pool.stats.in_full.load(Ordering::Relaxed), before + 1);
    let prepared = "SELECT string_agg(statement, ' ') AS all FROM pg_prepared_statements";
    let row = acme.query_one_raw(Statement::from_string(DbBackend::Postgres, prepared)).await.unwrap();
    let all: String = row.unwrap().try_get("", "all").unwrap();
    assert!(all.contains("/*acme*/ SELECT 1") && all.contains("/*globex*/ SELECT 1"), "{all}");
}
