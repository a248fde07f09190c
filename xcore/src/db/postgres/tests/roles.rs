//! Tenants with roles of their own (`tenancy.db_role`).
//!
//! The app's login is no superuser here, and the server asks the tenants' logins for their passwords.

use sea_orm::{ConnectionTrait, DbErr, TransactionTrait};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::migrations::{Billing, Orders};
use super::{Kitchen, TABLES, bake, cake, count, id};
use crate::db::postgres::Postgres;
use crate::db::postgres::mutants::Mutant;
use crate::db::{Database, DatabaseError, DatabaseSettings, DbRole, Migrations, TenantDb};

const BOTH: [DbRole; 2] = [DbRole::SetRole, DbRole::Login];

/// A service whose login owns its database and may make roles, and nothing more.
pub(super) async fn kitchen(role: DbRole, connections: usize) -> Kitchen {
    let kitchen = Kitchen::new().await;
    let (name, app) = (&kitchen.name, format!("app_of_{}", kitchen.name));
    kitchen.postgres.pool.close().await;
    kitchen
        .sql(&format!(
            "CREATE ROLE {app} LOGIN CREATEROLE PASSWORD 'of the app'; ALTER DATABASE {name} OWNER TO {app}; DROP SCHEMA xcore_directory CASCADE"
        ))
        .await;
    let url = kitchen.server.url(name).replace("//postgres@", &format!("//{app}:of%20the%20app@"));
    let mut settings = kitchen.settings.clone();
    settings.server = DatabaseSettings::new(&url, std::path::Path::new("/")).unwrap().server;
    settings.connections = connections;
    let kitchen = Kitchen { settings, ..kitchen };
    kitchen.with_role(role).await
}

impl Kitchen {
    /// The same database, as after a start in another mode.
    pub(super) async fn with_role(self, role: DbRole) -> Self {
        self.postgres.pool.close().await;
        let mut settings = self.settings.clone();
        settings.db_role = role;
        let (database, postgres) = open(&settings).await;
        Self { database, postgres, settings, ..self }
    }

    /// What the server says to a question, past the service.
    async fn ask(&self, text: &str) -> String {
        let text = format!("SELECT coalesce(({text})::text, '')");
        self.beside().await.fetch_one(AssertSqlSafe(text)).await.unwrap().get(0)
    }

    /// Waits until nothing is under way.
    async fn all_idle(&self, sessions: usize) {
        let idle = || async { self.postgres.pool.free_places().1 == sessions };
        super::eventually("that all sessions are idle", idle).await;
    }

    async fn role_of(&self, name: &str) -> String {
        self.ask(&format!("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = '{name}'"))
            .await
    }

    pub(super) async fn has_role(&self, name: &str) -> bool {
        self.ask(&format!("SELECT count(*) FROM pg_roles WHERE rolname = '{name}'")).await == "1"
    }
}

async fn open(settings: &DatabaseSettings) -> (Database, std::sync::Arc<Postgres>) {
    let postgres = std::sync::Arc::new(Postgres::open(settings.clone()).await.unwrap());
    (Database::on(postgres.clone()), postgres)
}

pub(super) fn is_refused(result: &Result<impl Sized, DbErr>) -> bool {
    result.as_ref().is_err_and(|error| error.to_string().contains("permission denied"))
}

pub(super) async fn run(db: &impl ConnectionTrait, text: &str) -> Result<(), DbErr> {
    db.execute_unprepared(text).await.map(drop)
}

pub(super) fn is_no_role(result: Result<impl Sized, DbErr>) -> bool {
    matches!(result.map_err(DatabaseError::of), Err(DatabaseError::NoRole { .. }))
}

pub(super) async fn cakes(db: &TenantDb) -> Result<u64, DbErr> {
    use sea_orm::{EntityTrait, PaginatorTrait};
    cake::Entity::find().count(db).await
}

/// What a tenant may not do, whatever way it takes.
pub(super) const FOREIGN: &[&str] = &[
    "SELECT * FROM globex.cake",
    "INSERT INTO globex.cake (name, price) VALUES ('of acme', 1)",
    "UPDATE globex.cake SET price = 0",
    "CREATE TABLE globex.of_acme (a int)",
    "ALTER TABLE globex.cake ADD of_acme int",
    "DROP SCHEMA globex CASCADE",
    "SELECT * FROM xcore_directory.xcore_secrets",
    "CREATE TABLE xcore_directory.of_acme (a int)",
    "CREATE SCHEMA of_acme",
    "CREATE TABLE public.of_acme (a int)",
];

#[tokio::test]
async fn a_tenant_with_a_role_reaches_no_other_schema() {
    for role in BOTH {
        let kitchen = kitchen(role, 2).await;
        let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
        bake(&globex, "of globex").await;
        for text in FOREIGN {
            bake(&acme, text).await;
            let result = run(&acme, text).await;
            let is_hidden = text.contains("DROP") || text.contains("ALTER");
            assert!(is_refused(&result) || (is_hidden && result.is_err()), "{role:?} {text}: {result:?}");
            let transaction = acme.begin().await.unwrap();
            assert!(run(&transaction, text).await.is_err(), "{role:?} {text} in a transaction");
            transaction.rollback().await.unwrap();
            let session = acme.session().await.unwrap();
            assert!(run(&session, text).await.is_err(), "{role:?} {text} in a session");
        }
        assert_eq!((cakes(&acme).await.unwrap(), count(&globex).await), (FOREIGN.len() as u64, 1));
        run(&acme, "ALTER TABLE cake ADD more text; CREATE VIEW v AS SELECT * FROM cake; DROP VIEW v")
            .await
            .unwrap();
        kitchen.postgres.pool.mutant.choose(Mutant::ForgetsTheRole);
        kitchen.postgres.pool.close_login(&id("acme")).await;
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let crossed =
            run(&acme, "RESET ROLE").await.is_ok() && run(&acme, "SELECT * FROM globex.cake").await.is_ok();
        assert!(crossed, "{role:?}: the broken rule reads another tenant");
    }
}

#[tokio::test]
async fn sql_can_put_off_a_role_that_was_taken_on_and_not_a_login() {
    let steal = "DO $$ BEGIN PERFORM set_config('role', 'none', true); INSERT INTO globex.cake (name, price) VALUES ('of acme', 1); END $$";
    for role in BOTH {
        let kitchen = kitchen(role, 2).await;
        let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
        let stolen = run(&acme, steal).await;
        let app = kitchen
            .ask("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
            .await;
        let becomes = [
            run(&acme, &format!("SET ROLE {app}")).await,
            run(&acme, &format!("SET SESSION AUTHORIZATION {app}")).await,
            run(&acme, &format!("SET ROLE \"{}\"", kitchen.role_of("globex").await)).await,
        ];
        if role == DbRole::SetRole {
            assert!(stolen.is_ok(), "as documented: {stolen:?}");
            assert_eq!(count(&globex).await, 1);
        } else {
            assert!(is_refused(&stolen), "{stolen:?}");
            assert_eq!(count(&globex).await, 0);
            assert!(becomes.iter().all(is_refused), "{becomes:?}");
        }
    }
}

#[tokio::test]
async fn a_role_that_was_put_off_is_taken_on_again_for_the_next_statement() {
    for role in BOTH {
        let kitchen = kitchen(role, 1).await;
        let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
        let foreign = "SELECT * FROM globex.cake";
        let group = kitchen.postgres.roles.group();
        for put_off in
            ["RESET ROLE", "SELECT set_config('role', 'none', false)", &format!("SET ROLE {group}")]
        {
            run(&acme, put_off).await.unwrap();
            assert!(is_refused(&run(&acme, foreign).await), "{role:?} {put_off}");
            assert_eq!(count(&globex).await, 0);
            let transaction = acme.begin().await.unwrap();
            run(&transaction, put_off).await.unwrap();
            assert_eq!(count(&transaction).await, 0, "its own tables are there again");
            assert!(is_refused(&run(&transaction, foreign).await), "{role:?} {put_off} in a transaction");
            transaction.rollback().await.unwrap();
            let session = acme.session().await.unwrap();
            run(&session, put_off).await.unwrap();
            assert_eq!(count(&session).await, 0);
            assert!(is_refused(&run(&session, foreign).await), "{role:?} {put_off} in a session");
        }
    }
}

/// What the next tenant finds of a session in which a trigger that nobody knew of put the role off.
async fn put_off_unseen(mutant: Mutant) -> String {
    let kitchen = kitchen(DbRole::SetRole, 1).await;
    let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
    let _unnoticed = kitchen.postgres.pool.watching.lock().await;
    kitchen
        .sql(
            "CREATE FUNCTION acme.puts_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM set_config('xcore.mark', 'of acme', false), set_config('role', 'none', false); RETURN NEW; END $$;
             CREATE TRIGGER puts_off BEFORE INSERT ON acme.cake FOR EACH ROW EXECUTE FUNCTION acme.puts_off()",
        )
        .await;
    kitchen.postgres.pool.mutant.choose(mutant);
    bake(&acme, "pie").await;
    assert!(is_refused(&run(&globex, "SELECT * FROM acme.cake").await), "it has its own role in any case");
    let mark = "SELECT coalesce(current_setting('xcore.mark', true), '') AS mark";
    let mark = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, mark);
    globex.query_one_raw(mark).await.unwrap().unwrap().try_get("", "mark").unwrap()
}

#[tokio::test]
async fn a_role_that_was_put_off_unseen_is_seen_by_the_next_switch() {
    assert_eq!(put_off_unseen(Mutant::BelievesFunctionsHarmless).await, "");
    assert_eq!(put_off_unseen(Mutant::LooksAtNothing).await, "of acme");
}

#[tokio::test]
async fn a_login_that_begins_as_another_role_is_refused() {
    let kitchen = kitchen(DbRole::Shared, 1).await;
    let app = format!("app_of_{}", kitchen.name);
    kitchen
        .sql(&format!("CREATE ROLE owner_of_{app}; GRANT owner_of_{app} TO {app}; ALTER ROLE {app} SET role TO owner_of_{app}"))
        .await;
    for role in BOTH {
        let settings = DatabaseSettings { db_role: role, ..kitchen.settings.clone() };
        let refused = Postgres::open(settings).await.map(drop);
        assert!(matches!(refused, Err(DatabaseError::BeginsAsRole)), "{role:?} {refused:?}");
    }
}

#[tokio::test]
async fn shared_tables_are_read_and_written_and_not_changed() {
    for role in BOTH {
        let kitchen = kitchen(role, 2).await;
        let shared = kitchen.database.shared();
        let makes =
            "CREATE TABLE rate (id serial PRIMARY KEY, name text); INSERT INTO rate (name) VALUES ('low')";
        shared.execute_unprepared(makes).await.unwrap();
        kitchen.database.migrate_shared(&[Migrations::of::<Billing>("billing")]).await.unwrap();
        let acme = kitchen.tenant("acme").await;
        for text in [
            "SELECT * FROM rate",
            "INSERT INTO rate (name) VALUES ('high')",
            "UPDATE rate SET name = 'higher' WHERE name = 'high'",
            "DELETE FROM rate WHERE name = 'higher'",
            "CREATE TABLE rated (rate int REFERENCES rate (id)); INSERT INTO rated VALUES (1)",
            "SELECT * FROM bills",
            "CREATE TEMP TABLE t (a int); DROP TABLE t",
        ] {
            run(&acme, text).await.unwrap_or_else(|error| panic!("{role:?} {text}: {error}"));
        }
        for text in [
            "CREATE TABLE public.t (a int)",
            "ALTER TABLE rate ADD more text",
            "DROP TABLE public.rate",
            "TRUNCATE rate",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER t BEFORE INSERT ON rate FOR EACH ROW EXECUTE FUNCTION f()",
            "DELETE FROM xcore_shared_migrations_billing",
            "CREATE FUNCTION public.lower(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ] {
            assert!(run(&acme, text).await.is_err(), "{role:?} {text}");
        }
        // What a migration takes from the tenants is not given again by a later start.
        let group = kitchen.postgres.roles.group();
        shared.execute_unprepared(&format!("REVOKE INSERT ON rate FROM {group}")).await.unwrap();
        let kitchen = kitchen.with_role(role).await;
        assert!(is_refused(&run(&kitchen.handle("acme"), "INSERT INTO rate (name) VALUES ('x')").await));
        run(&kitchen.handle("acme"), "SELECT * FROM rate").await.unwrap();
    }
}

#[tokio::test]
async fn a_tenants_role_owns_what_its_migrations_make() {
    for role in BOTH {
        let kitchen = kitchen(role, 2).await;
        kitchen.database.provision(&id("acme")).await.unwrap();
        let plugins = [Migrations::of::<Orders>("orders"), Migrations::of::<Billing>("billing")];
        assert_eq!(kitchen.database.pending_tenant(&id("acme"), &plugins).await.unwrap().count(), 3);
        assert_eq!(kitchen.database.migrate_tenant(&id("acme"), &plugins).await.unwrap().count(), 3);
        assert!(kitchen.database.migrate_tenant(&id("acme"), &plugins).await.unwrap().is_empty());
        let owner = kitchen.role_of("acme").await;
        assert!(owner.starts_with("xcore_") && owner.ends_with("_acme"), "{owner}");
        let owners = "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname = 'acme'";
        assert_eq!(kitchen.ask(owners).await, owner);
        run(&kitchen.handle("acme"), "INSERT INTO orders VALUES (2); ALTER TABLE bills ADD more text")
            .await
            .unwrap();
        let missing = kitchen.database.migrate_tenant(&id("ghost"), &plugins).await;
        assert!(matches!(missing, Err(DatabaseError::Missing { .. })), "{missing:?}");
        let missing = kitchen.database.pending_tenant(&id("ghost"), &plugins).await;
        assert!(matches!(missing, Err(DatabaseError::Missing { .. })), "{missing:?}");
        assert!(!kitchen.has_role(&owner.replace("acme", "ghost")).await);
    }
}

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
            let gone = super::eventually("the end of the tenant", || async {
                matches!(cakes(db).await.map_err(DatabaseError::of), Err(DatabaseError::Missing { .. }))
            });
            gone.await;
        }
        bake(&kitchen.tenant("acme").await, "new").await;
        super::eventually("the new tenant", || async {
            cakes(&elsewhere).await.is_ok_and(|count| count == 1)
        })
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
async fn a_schema_that_the_role_cannot_use_is_an_error_and_never_the_shared_tables() {
    for role in BOTH {
        let kitchen = kitchen(role, 1).await;
        kitchen.database.shared().execute_unprepared(TABLES).await.unwrap();
        bake(&kitchen.database.shared(), "of all").await;
        let acme = kitchen.tenant("acme").await;
        assert_eq!(count(&acme).await, 0);
        let owner = kitchen.role_of("acme").await;
        for (breaks, mends) in [
            (
                format!("REVOKE USAGE ON SCHEMA acme FROM {owner}"),
                format!("GRANT USAGE ON SCHEMA acme TO {owner}"),
            ),
            ("ALTER SCHEMA acme OWNER TO postgres".to_owned(), format!("ALTER SCHEMA acme OWNER TO {owner}")),
        ] {
            kitchen.sql(&breaks).await;
            tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
            for _ in 0..2 {
                assert!(is_no_role(cakes(&acme).await), "{role:?} {breaks}");
            }
            kitchen.sql(&mends).await;
            assert_eq!(count(&acme).await, 0);
        }
        let ghost = cakes(&kitchen.handle("ghost")).await.map_err(DatabaseError::of);
        assert!(matches!(ghost, Err(DatabaseError::Missing { .. })), "{role:?} {ghost:?}");
    }
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

#[tokio::test]
async fn tenants_with_logins_take_turns_in_the_places_of_the_pool() {
    let kitchen = kitchen(DbRole::Login, 2).await;
    let names = ["acme", "globex", "initech"];
    for name in names {
        bake(&kitchen.tenant(name).await, name).await;
    }
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..5 {
        for name in names {
            assert_eq!(count(&kitchen.handle(name)).await, 1);
            super::eventually("that no more are open than allowed", || async {
                kitchen.ask(sessions).await.parse::<u64>().unwrap() <= 2
            })
            .await;
        }
    }
    // Those that are used stay. The service's own look each second would take the place of one.
    let _unnoticed = kitchen.postgres.pool.watching.lock().await;
    let pid = |name: &'static str| {
        let (db, kitchen) = (kitchen.handle(name), &kitchen);
        async move {
            kitchen.all_idle(2).await;
            let ask = sea_orm::Statement::from_string(
                sea_orm::DbBackend::Postgres,
                "SELECT pg_backend_pid() AS pid",
            );
            db.query_one_raw(ask).await.unwrap().unwrap().try_get::<i32>("", "pid").unwrap()
        }
    };
    let (acme, globex) = (pid("acme").await, pid("globex").await);
    assert_eq!((pid("acme").await, pid("globex").await), (acme, globex));
    pid("acme").await;
    pid("initech").await;
    assert_eq!(pid("acme").await, acme, "the one that was used least recently has gone");
    let many = (0..60).map(|n| {
        let db = kitchen.handle(names[n % 3]);
        async move { cakes(&db).await.unwrap() }
    });
    assert_eq!(futures_util::future::join_all(many).await, vec![1; 60]);
    assert_eq!(kitchen.postgres.pool.free_places().0, 2);
}

#[tokio::test]
async fn what_is_wrong_with_the_rights_is_found() {
    let superuser = Kitchen::new().await;
    let found = superuser.database.findings().await.unwrap();
    assert!(found[0].is_serious && found[0].text.contains("NOSUPERUSER"), "{found:?}");
    let kitchen = kitchen(DbRole::SetRole, 1).await;
    assert!(kitchen.database.findings().await.unwrap().is_empty());
    let app = format!("app_of_{}", kitchen.name);
    kitchen
        .sql(&format!("ALTER ROLE {app} BYPASSRLS NOCREATEROLE; GRANT CREATE ON SCHEMA public TO PUBLIC"))
        .await;
    let found = kitchen.database.findings().await.unwrap();
    let wanted = ["NOBYPASSRLS", "CREATEROLE", "REVOKE CREATE ON SCHEMA public"];
    assert!(found.len() == 3 && found.iter().zip(wanted).all(|(f, w)| f.text.contains(w)), "{found:?}");
    let refused = kitchen.database.provision(&id("acme")).await;
    assert!(matches!(refused, Err(DatabaseError::RoleRights { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_statement_that_names_its_tables_in_full_has_the_tenants_rights() {
    for role in BOTH {
        let kitchen = kitchen(role, 1).await;
        let acme = kitchen.tenant("acme").await;
        let app = format!("app_of_{}", kitchen.name);
        kitchen.sql(&format!("CREATE TABLE acme.kept (id int); ALTER TABLE acme.kept OWNER TO {app}")).await;
        let read = || sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT id FROM kept");
        for _ in 0..3 {
            // A session that was reset stands on nobody.
            run(&acme, "RESET ROLE").await.unwrap();
            super::eventually("that the schema is known", || async {
                kitchen.postgres.pool.plain.admits(&id("acme"), 0)
            })
            .await;
            kitchen.all_idle(1).await;
            let before = kitchen.postgres.pool.stats.in_full.load(std::sync::atomic::Ordering::Relaxed);
            assert!(is_refused(&acme.query_all_raw(read()).await), "{role:?}");
            assert!(kitchen.postgres.pool.stats.in_full.load(std::sync::atomic::Ordering::Relaxed) > before);
        }
    }
}
