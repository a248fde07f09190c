//! On a PostgreSQL server, in every mode that tenants' rights can have.

use std::time::Duration;

use sea_orm::{ConnectionTrait, TransactionTrait};
use xcore::app::{ArchiveError, TenantError};
use xcore_tests::{PostgresServer, Rig};

use crate::stage::{Stage, id};

const ROWS: &str = r#"
INSERT INTO wide (flag, small, int4, big, exact, single, double, name, fixed, limited, bytes, day, at, at_zone, stamp, zoned, span, doc, docb,
    key, net, list, texts, mood, moods, short, span4, bits, cost, pair) VALUES
    (true, -32768, 2147483647, 4611686018427387903, 12345678901234567890.0123456789, 0.1, 1e-300,
     E'Ünïcödé 🦀 \\N \\. \t tab \r\n line', 'ab', 'limited', '\x00ff5c0a', '0044-03-15 BC', '23:59:59.999999', '01:02:03+05:30', 'infinity',
     '2026-01-01 12:00:00.123456+02', '1 year 2 months -3 days 04:05:06.7', '{"a" : [1, null]}', '{"b": {"c": "\\N"}}',
     '00000000-0000-0000-0000-000000000001', '10.0.0.0/8', '{{1,2},{3,NULL}}', '{"a,b","","NULL",NULL,"\\"}', 'so so', '{happy,"so so"}', 'short',
     '[1,5)', '10110', '-12.34', '(1,"a b")'),
    (NULL, NULL, NULL, NULL, 'NaN', 'Infinity', '-Infinity', '', '', '', '', 'infinity', NULL, NULL, NULL, '-infinity', NULL, NULL, NULL, NULL, NULL, '{}',
     NULL, NULL, NULL, NULL, 'empty', NULL, NULL, NULL);
INSERT INTO wide (name) VALUES (E'\\.'), ('\N'), (repeat('long ', 100000));
UPDATE wide SET parent = 6 - id WHERE id <> 3;
INSERT INTO wide (name) VALUES ('gone'); DELETE FROM wide WHERE name = 'gone';
INSERT INTO "odd ""name" ("select", "Ü") VALUES ('it''s', 'ä'), ('"', NULL);
BEGIN; INSERT INTO hen VALUES (1, 10), (2, 20); INSERT INTO egg VALUES (10, 2), (20, 1); COMMIT;
INSERT INTO seeded VALUES (2, 'second');
UPDATE seeded SET text = 'changed' WHERE id = 1;
INSERT INTO empty DEFAULT VALUES;
SELECT nextval('numbers'), nextval('numbers');
REFRESH MATERIALIZED VIEW totals
"#;

async fn server(keys: &[(&str, &str)]) -> Stage {
    Stage::with(Some(PostgresServer::get().url().await), keys).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_comes_back_as_it_was_whoever_owns_the_tables() {
    let modes: [&[(&str, &str)]; 3] =
        [&[], &[("tenancy.db_role", "set_role")], &[("tenancy.db_role", "login")]];
    for keys in modes {
        let (here, there) = (server(keys).await, server(&[]).await);
        here.run("acme", ROWS).await;
        let (acme, globex) = (here.contents("acme").await, here.contents("globex").await);
        assert!(
            acme["wide"].contains("🦀") && acme["totals"] == "(2)" && acme["numbers"] == "105true",
            "{acme:?}"
        );
        let file = here.export("acme").await;
        for (stage, name) in [(&here, "copied"), (&there, "moved")] {
            let done = stage.import(&file, name).await.unwrap();
            assert_eq!(done.tenant, id(name));
            assert_eq!(stage.contents(name).await, acme, "{name} with {keys:?}");
            assert_eq!(stage.contents("globex").await, globex, "another tenant of {name}");
            assert_eq!(stage.status(name).await, 200, "{keys:?}");
        }
        here.app.tenants().clone_to(&id("acme"), &id("twin"), None).await.unwrap();
        assert_eq!(here.contents("twin").await, acme, "with {keys:?}");
        // Its own role reaches it, and it does not reach that of another one.
        let context = Rig::notes_of(&here.app, "twin").await;
        let count = context.db.execute_unprepared("UPDATE seeded SET text = text").await.unwrap();
        assert_eq!(count.rows_affected(), 2);
        assert_eq!(here.contents("acme").await, acme);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_triggers_and_sequences_are_as_the_migrations_make_them() {
    let stage = server(&[]).await;
    stage.run("acme", ROWS).await;
    let file = stage.export("acme").await;
    stage.import(&file, "copied").await.unwrap();
    let said = "SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), ';' ORDER BY conname)
                FROM pg_constraint WHERE connamespace = current_schema()::regnamespace";
    assert_eq!(stage.ask("copied", said).await, stage.ask("acme", said).await);
    assert!(stage.ask("copied", said).await.contains("DEFERRABLE INITIALLY DEFERRED"));
    let enabled = "SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger
                   WHERE tgrelid = 'seeded'::regclass AND NOT tgisinternal";
    assert_eq!(stage.ask("copied", enabled).await, "seeded_asleepD seeded_loggedA");
    let beside = stage.beside("copied").await;
    assert!(beside.execute_unprepared("INSERT INTO egg VALUES (99, 99)").await.is_err());
    stage
        .run("copied", "INSERT INTO wide (big) VALUES (21); INSERT INTO \"odd \"\"name\" DEFAULT VALUES")
        .await;
    assert_eq!(stage.ask("copied", "SELECT concat(id, ' ', doubled) FROM wide WHERE big = 21").await, "7 42");
    assert_eq!(stage.ask("copied", "SELECT max(id)::text FROM \"odd \"\"name\"").await, "3");
    assert_eq!(stage.ask("copied", "SELECT nextval('numbers')::text").await, "110");
    stage.run("copied", "INSERT INTO seeded VALUES (3, 'third')").await;
    assert_eq!(
        stage.ask("copied", "SELECT string_agg(what, ',' ORDER BY id) FROM log").await,
        "second,third"
    );
    // Or this would be refused.
    stage.export("copied").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_meanwhile_is_in_a_copy_as_a_whole_or_not_at_all() {
    let stage = server(&[]).await;
    let context = Rig::notes_of(&stage.app, "acme").await;
    let writing = tokio::spawn(async move {
        for number in 10_u64.. {
            let both = context.db.begin().await.unwrap();
            both.execute_unprepared(&format!("INSERT INTO hen VALUES ({number}, NULL)")).await.unwrap();
            both.execute_unprepared(&format!("INSERT INTO egg VALUES ({number}, {number})")).await.unwrap();
            both.commit().await.unwrap();
        }
    });
    let mut counts = Vec::new();
    for number in 0..5 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let name = format!("copy{number}");
        stage.app.tenants().clone_to(&id("acme"), &id(&name), None).await.unwrap();
        let both = stage
            .ask(&name, "SELECT concat((SELECT count(*) FROM hen), ' ', (SELECT count(*) FROM egg))")
            .await;
        let (one, other) = both.split_once(' ').unwrap();
        assert_eq!(one, other);
        counts.push(one.parse::<u64>().unwrap());
    }
    writing.abort();
    assert!(
        counts.is_sorted() && counts.first() < counts.last(),
        "nothing was written meanwhile: {counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rows_cannot_carry_is_refused_with_its_name() {
    let stage = server(&[]).await;
    let refused = async |change: &str, back: &str, why: &str| {
        stage.run("acme", change).await;
        let file = stage.file("none.tar");
        let refused = stage.app.tenants().export(&id("acme"), &file).await.unwrap_err();
        let said = format!("{refused}: {:?}", std::error::Error::source(&refused).map(ToString::to_string));
        assert!(said.contains(why) && !file.exists(), "{said}");
        let cloned = stage.app.tenants().clone_to(&id("acme"), &id("twin"), None).await;
        assert!(cloned.is_err() && !stage.names().await.contains(&"twin".to_owned()));
        stage.run("acme", back).await;
    };
    let column = "ALTER TABLE log ALTER COLUMN what TYPE oid USING NULL";
    refused(
        column,
        "ALTER TABLE log ALTER COLUMN what TYPE text USING NULL",
        "column log.what has the type oid",
    )
    .await;
    refused("CREATE TABLE more (id integer)", "DROP TABLE more", "table more is there").await;
    refused("ALTER TABLE log ADD more text", "ALTER TABLE log DROP more", "table log: column more is there")
        .await;
    refused("CREATE SEQUENCE more", "DROP SEQUENCE more", "sequence more is there").await;
    // A table that hides rows from its owner hides them from an archive as well, and that is no archive.
    let hides = "INSERT INTO log (what) VALUES ('x'); ALTER TABLE log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
                 CREATE POLICY nothing ON log USING (false)";
    let login = server(&[("tenancy.db_role", "set_role")]).await;
    login.run("acme", hides).await;
    let refused = login.app.tenants().export(&id("acme"), &login.file("none.tar")).await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_another_kind_of_database_are_refused_before_anything_is_made() {
    let (here, there) = (Stage::sqlite().await, server(&[]).await);
    let file = here.export("acme").await;
    let refused = there.import(&file, "moved").await.unwrap_err();
    assert!(
        matches!(&refused, TenantError::Archive { source: ArchiveError::OtherDatabase { .. } }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("SQLite") && !there.names().await.contains(&"moved".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_is_enough_to_clone() {
    let stage = server(&[("services.database.connections", "1")]).await;
    stage.run("acme", ROWS).await;
    let (tenants, acme, one, two) = (stage.app.tenants(), id("acme"), id("one"), id("two"));
    let both =
        async { tokio::try_join!(tenants.clone_to(&acme, &one, None), tenants.clone_to(&acme, &two, None)) };
    tokio::time::timeout(Duration::from_secs(60), both).await.unwrap().unwrap();
    assert_eq!(stage.contents("one").await, stage.contents("two").await);
}
