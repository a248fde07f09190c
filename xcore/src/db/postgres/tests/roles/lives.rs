//! How roles come and go with their tenants, and with `tenancy.db_role`.

use sqlx::PgConnection;

use super::super::{bake, count, eventually, id};
use super::{BOTH, cakes, is_no_role, is_refused, kitchen, open, run};
use crate::db::{DatabaseError, DbRole};

#[tokio::test]
async fn a_role_goes_with_its_tenant_and_the_next_one_of_the_name_has_a_new_one() {
    for role in BOTH {
        let kitchen = kitchen(role, 2).await;
        let acme = kitchen.tenant("acme").await;
        let owner = kitchen.role_of("acme").await;
        // Another instance, whose sessions stand on the tenant.
        let (other, _) = open(&kitchen.settings).await;
        let elsewhere = other.tenant(&crate::tenancy::Tenant::admit(id("acme"), 0));
        assert_eq!((count(&acme).await, count(&elsewhere).await), (0, 0));
        kitchen.database.remove(&id("acme"), &()).await.unwrap();
        kitchen.database.remove(&id("acme"), &()).await.unwrap();
        assert!(!kitchen.has_role(&owner).await);
        for db in [&acme, &elsewhere] {
            let gone = eventually("the end of the tenant", || async {
                matches!(cakes(db).await.map_err(DatabaseError::of), Err(DatabaseError::Missing { .. }))
            });
            gone.await;
        }
        bake(&kitchen.tenant("acme").await, "new").await;
        eventually("the new tenant", || async { cakes(&elsewhere).await.is_ok_and(|count| count == 1) })
            .await;
        assert_eq!(count(&acme).await, 1);
    }
}

#[tokio::test]
async fn a_removal_that_was_cut_short_is_finished_by_the_next() {
    for role in BOTH {
        let kitchen = kitchen(role, 2).await;
        for name in ["acme", "globex"] {
            kitchen.tenant(name).await;
        }
        let (acme, globex) = (kitchen.role_of("acme").await, kitchen.role_of("globex").await);
        // Cut short before the schema was dropped, and behind it.
        let roles = &kitchen.postgres.roles;
        let mut beside = kitchen.beside().await;
        roles.lock_out(&mut beside, &id("acme")).await.unwrap();
        roles.lock_out(&mut beside, &id("globex")).await.unwrap();
        kitchen.sql("DROP SCHEMA globex CASCADE").await;
        let found = kitchen.database.findings().await.unwrap();
        assert!(matches!(&found[..], [one] if one.text.contains(&globex) && !one.is_serious), "{found:?}");
        for name in ["acme", "globex"] {
            kitchen.database.remove(&id(name), &()).await.unwrap();
        }
        assert!(!kitchen.has_role(&acme).await && !kitchen.has_role(&globex).await);
        assert!(kitchen.database.findings().await.unwrap().is_empty());
        // Made anew where a role was left.
        kitchen.tenant("acme").await;
        kitchen.sql("DROP SCHEMA acme CASCADE").await;
        bake(&kitchen.tenant("acme").await, "new").await;
    }
}

#[tokio::test]
async fn names_that_differ_in_their_last_letter_have_roles_of_their_own() {
    for role in BOTH {
        let kitchen = kitchen(role, 2).await;
        let names = ["a".repeat(63), format!("{}b", "a".repeat(62)), "a".repeat(48), "a".repeat(49)];
        let mut owners = std::collections::HashSet::new();
        for name in &names {
            bake(&kitchen.tenant(name).await, name).await;
            assert!(owners.insert(kitchen.role_of(name).await), "{name}");
        }
        for name in &names {
            assert_eq!(count(&kitchen.handle(name)).await, 1);
            for other in names.iter().filter(|other| *other != name) {
                let foreign = format!("SELECT * FROM {other}.cake");
                assert!(is_refused(&run(&kitchen.handle(name), &foreign).await), "{name} {other}");
            }
        }
        kitchen.database.remove(&id(&names[0]), &()).await.unwrap();
        assert_eq!(count(&kitchen.handle(&names[1])).await, 1);
    }
}

#[tokio::test]
async fn a_role_of_another_origin_is_neither_taken_nor_dropped() {
    for role in BOTH {
        let kitchen = kitchen(role, 2).await;
        let foreign = kitchen.postgres.roles.name(&id("acme"));
        kitchen.sql(&format!("CREATE ROLE {foreign} LOGIN PASSWORD 'known'")).await;
        let made = kitchen.database.provision(&id("acme")).await;
        assert!(matches!(made, Err(DatabaseError::ForeignRole { .. })), "{made:?}");
        assert!(!kitchen.database.exists(&id("acme")).await.unwrap(), "nothing was made");
        let removed = kitchen.database.remove(&id("acme"), &()).await;
        assert!(matches!(removed, Err(DatabaseError::ForeignRole { .. })), "{removed:?}");
        assert!(kitchen.has_role(&foreign).await);
        kitchen.sql(&format!("DROP ROLE {foreign}")).await;
        kitchen.tenant("acme").await;
    }
}

/// Everything that has an owner.
const ALL_KINDS: &str = "CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TYPE pair AS (a int, b int); CREATE TYPE span AS RANGE (subtype = int);
    CREATE TABLE parted (id int GENERATED ALWAYS AS IDENTITY, at int, of mood) PARTITION BY RANGE (at);
    CREATE TABLE part_one PARTITION OF parted FOR VALUES FROM (0) TO (10);
    CREATE SEQUENCE counter; CREATE VIEW v AS SELECT * FROM cake; CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
    CREATE FUNCTION f(a int, b text) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION add(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $2';
    CREATE AGGREGATE total (int) (SFUNC = add, STYPE = int);
    CREATE OPERATOR <+> (LEFTARG = int, RIGHTARG = int, FUNCTION = add);
    CREATE COLLATION c (LOCALE = 'C'); CREATE STATISTICS s ON at, of FROM parted;
    CREATE TEXT SEARCH CONFIGURATION t (PARSER = default);
    CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple)";

#[tokio::test]
async fn a_tenant_of_another_mode_is_refused_until_it_is_migrated() {
    use DbRole::{Login, SetRole, Shared};
    let mut kitchen = kitchen(Shared, 2).await;
    let acme = kitchen.tenant("acme").await;
    run(&acme, ALL_KINDS).await.unwrap();
    kitchen.tenant("globex").await;
    let app = kitchen.role_of("acme").await;
    let mut role = String::new();
    for mode in [SetRole, Login, SetRole, Shared, Login, Shared] {
        let was_shared = kitchen.settings.db_role == Shared;
        kitchen = kitchen.with_role(mode).await;
        let acme = kitchen.handle("acme");
        if mode != Shared && was_shared {
            assert!(cakes(&acme).await.is_err(), "{mode:?}");
            assert!(mode == Login || is_no_role(cakes(&acme).await), "{mode:?}");
        }
        kitchen.database.migrate_tenant(&id("acme"), &[]).await.unwrap();
        bake(&acme, &format!("in {mode:?} {role} {}", count(&acme).await)).await;
        let owner = kitchen.role_of("acme").await;
        assert_eq!(owner == app, mode == Shared, "{mode:?} {owner}");
        let others = format!(
            "SELECT string_agg(pg_describe_object(classid, objid, 0), ', ') FROM pg_shdepend WHERE deptype = 'o'
             AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND refobjid <> '{owner}'::regrole AND (pg_identify_object(classid, objid, 0)).schema = 'acme'"
        );
        assert_eq!(kitchen.ask(&others).await, "", "{mode:?}");
        run(
            &acme,
            "ALTER TABLE parted ADD x int; ALTER TABLE parted DROP x; DROP FUNCTION f(int, text);
            CREATE FUNCTION f(a int, b text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        )
        .await
        .unwrap();
        assert_eq!(is_refused(&run(&acme, "SELECT * FROM globex.cake").await), mode != Shared, "{mode:?}");
        if mode == Shared {
            assert!(!kitchen.has_role(&role).await, "the role is gone");
        } else {
            role = owner;
            let can_log_in =
                kitchen.ask(&format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{role}'")).await;
            assert_eq!(can_log_in == "true", mode == Login);
        }
    }
    // One that was never migrated in the new mode is deleted like any other.
    let kitchen = kitchen.with_role(Login).await;
    kitchen.database.remove(&id("globex"), &()).await.unwrap();
}

#[tokio::test]
async fn a_login_that_the_server_refuses_is_mended_by_a_migration() {
    let kitchen = kitchen(DbRole::Login, 1).await;
    let acme = kitchen.tenant("acme").await;
    let owner = kitchen.role_of("acme").await;
    // A tenant may do this to itself.
    run(&acme, "ALTER ROLE CURRENT_USER PASSWORD 'another'").await.unwrap();
    kitchen.all_idle(1).await;
    kitchen.postgres.pool.close_login(&id("acme")).await;
    let refused = cakes(&acme).await.map_err(DatabaseError::of).unwrap_err();
    assert!(matches!(refused, DatabaseError::LoginRefused { .. }), "{refused:?}");
    kitchen.database.migrate_tenant(&id("acme"), &[]).await.unwrap();
    assert_eq!(count(&acme).await, 0);
    // The boundary is the password: without it nobody is let in.
    let url = kitchen.server.url(&kitchen.name).replace("postgres@", &format!("{owner}@"));
    for url in [url.clone(), url.replace(&owner, &format!("{owner}:{owner}"))] {
        use sqlx::Connection;
        assert!(PgConnection::connect(&url).await.is_err(), "{url}");
    }
}
