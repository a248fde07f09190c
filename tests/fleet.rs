//! Many tenants at once on PostgreSQL: which are behind, bringing them up to date, and what differs between them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement, TransactionTrait};
use xcore_tests::{PostgresServer, Program, wire};

/// The program on a database of its own, and a session beside it.
struct Fleet {
    program: Program,
    beside: DatabaseConnection,
}

impl Fleet {
    async fn new(tenants: usize) -> Self {
        let url = PostgresServer::get().url().await;
        let beside = Database::connect(&url).await.unwrap();
        let rig = concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml");
        let program = Program::new(env!("CARGO_BIN_EXE_rig"), rig)
            .set("services.database.url", format!("{url}?sslmode=disable"));
        let file = program.folder().join("xcore.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("  ensure: [acme, globex]\n", "")).unwrap();
        let fleet = Self { program, beside };
        fleet.create(0..tenants);
        fleet
    }

    fn create(&self, numbers: std::ops::Range<usize>) {
        let names: Vec<String> = numbers.map(|number| format!("t{number}")).collect();
        let arguments = ["tenant", "create"].into_iter().chain(names.iter().map(String::as_str));
        self.program.succeed(&arguments.collect::<Vec<_>>());
    }

    /// What the program says on both streams when it ends with this code.
    #[track_caller]
    fn says(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.program.run(arguments);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    }

    async fn sql(&self, text: &str) {
        self.beside.execute_unprepared(text).await.unwrap();
    }

    async fn number(&self, text: &str) -> i64 {
        let statement = Statement::from_string(self.beside.get_database_backend(), text);
        self.beside.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    /// The directory no longer knows any tenant to be up to date.
    async fn forget_versions(&self) {
        self.sql("UPDATE xcore_directory.xcore_tenants SET version = 'an older one'").await;
    }

    async fn known_to_be_current(&self) -> i64 {
        self.number("SELECT count(*) FROM xcore_directory.xcore_tenants WHERE version <> 'an older one'")
            .await
    }

    /// A tenant from before the migration.
    async fn put_back(&self, tenant: &str) {
        self.sql(&format!(
            r#"DROP TABLE "{tenant}".tags, "{tenant}".notes; DELETE FROM "{tenant}".xcore_migrations_notes"#
        ))
        .await;
    }

    /// A tenant whose migration fails: what it makes is there.
    async fn spoil(&self, tenant: &str) {
        self.sql(&format!(r#"DELETE FROM "{tenant}".xcore_migrations_notes"#)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_a_fleet_is_up_to_date_is_asked_with_as_many_queries_as_for_one_tenant() {
    let fleet = Fleet::new(2).await;
    let transactions = async |arguments: &[&str]| {
        let count = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        // A session is counted when it ends, which may be a moment after its program.
        let settled = async || {
            tokio::time::sleep(Duration::from_secs(1)).await;
            fleet.number(count).await
        };
        let before = settled().await;
        assert!(fleet.program.succeed(arguments).contains("up to date"));
        settled().await - before
    };
    let of_few = transactions(&["migrate"]).await;
    fleet.create(2..42);
    let of_many = transactions(&["migrate"]).await;
    assert!(of_many < of_few + 20, "{of_few} transactions for 2 tenants, {of_many} for 42");
    let of_status = transactions(&["migrate", "status"]).await;
    assert!(of_status < of_few + 20, "{of_status} transactions for the status of 42");
    // The count sees what is asked of each tenant.
    let names: Vec<String> = (0..42).map(|number| format!("--tenant=t{number}")).collect();
    let one_by_one: Vec<&str> = std::iter::once("migrate").chain(names.iter().map(String::as_str)).collect();
    let asked = transactions(&one_by_one).await;
    assert!(asked > of_few + 80, "{asked} transactions when each of 42 is looked at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrate_goes_on_after_a_failure_says_it_and_begins_there_again() {
    let fleet = Fleet::new(6).await;
    fleet.forget_versions().await;
    fleet.spoil("t1").await;
    fleet.put_back("t3").await;

    let said = fleet.says(6, &["migrate", "--dry-run"]);
    assert!(said.contains("t1: would apply notes: ") && said.contains("t3: would apply notes: "), "{said}");
    assert!(!said.contains("t0") && fleet.known_to_be_current().await == 0, "{said}");
    let said = fleet.says(6, &["migrate", "status"]);
    assert!(said.contains("1 pending: notes: ") && said.contains("4 tenants up to date"), "{said}");

    let said = fleet.says(1, &["migrate", "--parallel", "3"]);
    assert!(
        said.contains("already exists") && said.contains("1 of 6 tenants") && said.contains(": t1;"),
        "{said}"
    );
    assert!(said.contains("/6] t3: 1 applied") && said.contains("/6] t5: 0 applied"), "{said}");
    assert_eq!(fleet.known_to_be_current().await, 5);
    assert_eq!(fleet.number("SELECT count(*) FROM t3.notes").await, 0);

    fleet.sql("DROP TABLE t1.tags, t1.notes").await;
    let said = fleet.says(0, &["migrate"]);
    assert!(
        said.contains("[1/1] t1: 1 applied") && said.contains("1 migrations applied to 1 tenants"),
        "{said}"
    );
    assert!(fleet.says(0, &["migrate", "status"]).contains("6 tenants up to date"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_canary_fails_the_others_are_left_as_they_are() {
    let fleet = Fleet::new(5).await;
    fleet.forget_versions().await;
    fleet.spoil("t1").await;
    let said = fleet.says(1, &["migrate", "--canary", "2"]);
    assert!(said.contains("1 of the 2 tenants that go first") && said.contains("the other 3"), "{said}");
    assert_eq!(fleet.known_to_be_current().await, 1);

    fleet.sql("DROP TABLE t1.tags, t1.notes").await;
    let said = fleet.says(0, &["migrate", "--canary", "1"]);
    assert!(said.contains("[1/4] t1: 1 applied") && said.contains("to 4 tenants"), "{said}");
    assert_eq!(fleet.known_to_be_current().await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_takes_its_time_keeps_no_other_waiting() {
    let fleet = Fleet::new(5).await;
    fleet.forget_versions().await;
    let reader = fleet.beside.begin().await.unwrap();
    reader.execute_unprepared("LOCK TABLE t2.xcore_migrations_notes").await.unwrap();
    let run = fleet.program.command(["migrate"]).stdout(Stdio::piped()).spawn().unwrap();
    while fleet.known_to_be_current().await < 4 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    reader.rollback().await.unwrap();
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(fleet.known_to_be_current().await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_tenants_are_migrated_at_once_than_there_are_connections() {
    let fleet = Fleet::new(12).await;
    fleet.forget_versions().await;
    let program = fleet.program.set("services.database.connections", "2");
    let said = program.succeed(&["migrate", "--parallel", "12"]);
    assert!(said.contains("2 tenants at once") && said.contains("to 12 tenants"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_has_not_enough_of_for_many_it_may_have_for_one() {
    let fleet = Fleet::new(6).await;
    fleet.forget_versions().await;
    for tenant in 0..6 {
        fleet.put_back(&format!("t{tenant}")).await;
    }
    // Whoever changes something while another one holds the lock of a schema, whose first half says what it is for.
    fleet
        .sql(
            "CREATE SEQUENCE public.shortages;
             CREATE FUNCTION public.narrow() RETURNS event_trigger LANGUAGE plpgsql AS $$
             BEGIN
               -- One that has ended may be seen for a moment.
               FOR tries IN 1..20 LOOP
                 PERFORM pg_sleep(0.1), pg_stat_clear_snapshot();
                 IF (SELECT count(*) < 2 FROM pg_locks JOIN pg_stat_activity USING (pid)
                     WHERE locktype = 'advisory' AND classid = 2019782514 AND xact_start IS NOT NULL) THEN
                   RETURN;
                 END IF;
               END LOOP;
               PERFORM nextval('public.shortages');
               RAISE EXCEPTION 'out of shared memory' USING ERRCODE = '53200';
             END $$;
             CREATE EVENT TRIGGER narrow ON ddl_command_start EXECUTE FUNCTION public.narrow()",
        )
        .await;
    let said = fleet.says(0, &["migrate", "--parallel", "6"]);
    assert!(said.contains("6 migrations applied to 6 tenants"), "{said}");
    assert!(fleet.number("SELECT last_value - 1 + is_called::int FROM public.shortages").await > 0, "{said}");
    // Without another try it is what it looks like.
    fleet.forget_versions().await;
    fleet.put_back("t0").await;
    fleet
        .sql(
            "CREATE OR REPLACE FUNCTION public.narrow() RETURNS event_trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'out of shared memory' USING ERRCODE = '53200'; END $$",
        )
        .await;
    assert!(fleet.says(1, &["migrate"]).contains("out of shared memory"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_a_newer_program_has_changed_is_refused_for_a_while_and_the_others_are_served() {
    let fleet = Fleet::new(2).await;
    fleet.sql("INSERT INTO t1.xcore_migrations_notes (version) VALUES ('m0099_of_a_newer_program')").await;
    fleet.sql("UPDATE xcore_directory.xcore_tenants SET version = 'a newer one' WHERE id = 't1'").await;
    let server = fleet.program.serve();
    let refused = wire::get(server.address, "t1", "/v1/notes").unwrap();
    assert_eq!(
        (refused.status, refused.head.to_lowercase().contains("retry-after:")),
        (503, true),
        "{refused:?}"
    );
    assert_eq!(wire::get(server.address, "t0", "/v1/notes").unwrap().status, 200);
    server.stop();
    let said = fleet.says(6, &["migrate", "status"]);
    assert!(said.contains("ahead of this program: notes: m0099_of_a_newer_program"), "{said}");
    assert!(fleet.says(1, &["migrate", "--dry-run"]).contains("t1: cannot be migrated"));
    assert!(fleet.says(1, &["migrate"]).contains("m0099_of_a_newer_program"));
}

impl Fleet {
    /// Notes of a tenant what a program with other migrations notes when it has migrated it, and tells the processes that serve.
    async fn note(&self, tenant: &str, version: &str, change: &str) {
        self.sql(&format!(
            "INSERT INTO xcore_directory.xcore_versions (version, migrations)
             SELECT '{version}', (migrations::jsonb {change})::text FROM xcore_directory.xcore_versions LIMIT 1"
        ))
        .await;
        self.sql(&format!(
            "BEGIN;
             UPDATE xcore_directory.xcore_directory SET revision = revision + 1;
             UPDATE xcore_directory.xcore_tenants SET version = '{version}' WHERE id = '{tenant}';
             COMMIT"
        ))
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_serves_refuses_what_a_newer_one_has_migrated_unless_it_may_be_so_much_newer() {
    let fleet = Fleet::new(2).await;
    let server = fleet.program.serve();
    let notes_of = |tenant: &str| wire::get(server.address, tenant, "/v1/notes").unwrap();
    assert_eq!((notes_of("t0").status, notes_of("t1").status), (200, 200));
    fleet.sql("INSERT INTO t1.xcore_migrations_notes (version) VALUES ('m0099_of_a_newer_program')").await;
    fleet.note("t1", "99-newer", r#"|| '["notes: m0099_of_a_newer_program"]'"#).await;
    let told = Instant::now();
    let refused = loop {
        let answer = notes_of("t1");
        if answer.status != 200 {
            break answer;
        }
        assert!(told.elapsed() < Duration::from_secs(5), "still served");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.head.to_lowercase().contains("retry-after:"), "{refused:?}");
    assert_eq!(notes_of("t0").status, 200);
    server.stop();

    let Fleet { program, beside: _beside } = fleet;
    let patient = program.set("tenancy.accept_newer", "1");
    let server = patient.serve();
    assert_eq!(wire::get(server.address, "t1", "/v1/notes").unwrap().status, 200);
    let log = server.stop();
    assert!(!log.contains("cannot be migrated"), "{log}");
    assert!(patient.succeed(&["migrate"]).contains("up to date"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_cannot_be_migrated_is_served_only_where_it_may_be_so_much_older() {
    let fleet = Fleet::new(2).await;
    fleet.spoil("t1").await;
    fleet.note("t1", "1-older", "- 0").await;
    let server = fleet.program.serve();
    assert_eq!(wire::get(server.address, "t0", "/v1/notes").unwrap().status, 200);
    assert_eq!(wire::get(server.address, "t1", "/v1/notes").unwrap().status, 503);
    assert!(server.stop().contains("is not served"));

    let Fleet { program, beside: _beside } = fleet;
    let program = program.set("tenancy.accept_older", "1");
    let server = program.serve();
    assert_eq!(wire::get(server.address, "t1", "/v1/notes").unwrap().status, 200);
    assert!(server.stop().contains("is served as it is"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal_a_bar_shows_how_far_it_is() {
    let fleet = Fleet::new(3).await;
    fleet.forget_versions().await;
    fleet.spoil("t1").await;
    let environment = fleet.program.command(["migrate"]);
    let mut script = Command::new("script");
    let rig = env!("CARGO_BIN_EXE_rig");
    script
        .args(["-qec", &format!("stty cols 120; {rig} migrate"), "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::null());
    for (name, value) in environment.get_envs() {
        script.env(name, value.unwrap());
    }
    let output = script
        .current_dir(fleet.program.folder())
        .output()
        .expect("this needs `script` (apt-get install -y bsdutils)");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("migrating [") && said.contains("3/3"), "{said}");
    assert!(said.contains("t1: ") && said.contains("already exists") && !said.contains("[1/3]"), "{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_names_the_tenants_and_the_parts_that_differ() {
    let fleet = Fleet::new(6).await;
    assert!(fleet.says(0, &["check"]).contains("all is well"));
    // Each of them is one tenant's, and the last is everybody's alike.
    for (tenant, change) in [
        ("t1", "ALTER TABLE t1.notes ALTER COLUMN text TYPE varchar(99); DROP TABLE t1.tags"),
        (
            "t2",
            "ALTER TABLE t2.tags DROP CONSTRAINT \"fk-tags-note_id\"; CREATE INDEX mine ON t2.notes (text)",
        ),
        ("t3", "ALTER TABLE t3.notes ADD COLUMN extra jsonb DEFAULT '{}'; COMMENT ON TABLE t3.tags IS 'new'"),
        (
            "t4",
            "CREATE FUNCTION t4.now() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER late BEFORE INSERT ON t4.notes FOR EACH ROW EXECUTE FUNCTION t4.now();
             GRANT SELECT ON t4.notes TO pg_monitor",
        ),
        ("t5", "INSERT INTO t5.notes (text) VALUES ('a row is no difference'); ANALYZE t5.notes"),
    ] {
        fleet.sql(change).await;
        let said = fleet.program.run(&["check"]);
        assert_eq!(said.status.code(), Some(6), "{tenant}");
    }
    let said = fleet.says(6, &["check"]);
    for line in [
        "tenant         t1: table notes: column text is character varying(99) not null, template has character varying not null",
        "tenant         t1: table tags is missing",
        "tenant         t2: table tags: constraint fk-tags-note_id is missing",
        "tenant         t2: table notes: index mine is there, template has none",
        "tenant         t3: table notes: column extra is there, template has none",
        "tenant         t3: comment of table tags  is there, template has none",
        "tenant         t4: table notes: trigger late is there, template has none",
        "tenant         t4: function now() is there, template has none",
        "tenant         t4: rights to table notes is there, template has none",
        "4 left to do",
    ] {
        assert!(said.contains(line), "{line} is not in: {said}");
    }
    assert!(
        !said.contains("t0: ") && !said.contains("t5: ") && !said.contains("table tags: column"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_of_another_program_is_made_anew_and_one_of_another_origin_is_left_alone() {
    let fleet = Fleet::new(1).await;
    fleet.says(0, &["check"]);
    fleet.sql("DROP TABLE xcore_template.tags").await;
    assert!(fleet.says(6, &["check"]).contains("t0: table tags is there, template has none"));
    fleet.sql("COMMENT ON SCHEMA xcore_template IS 'a template of xcore, of an older program'").await;
    assert!(fleet.says(0, &["check"]).contains("all is well"));
    fleet.sql("COMMENT ON SCHEMA xcore_template IS 'mine'; CREATE TABLE xcore_template.mine ()").await;
    assert!(fleet.says(6, &["check"]).contains("this framework did not make"));
    assert_eq!(fleet.number("SELECT count(*) FROM xcore_template.mine").await, 0);
}

#[test]
fn check_compares_files_as_well() {
    let rig = concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml");
    let program = Program::new(env!("CARGO_BIN_EXE_rig"), rig);
    program.succeed(&["tenant", "create", "acme", "globex", "initech"]);
    let said = program.succeed(&["check"]);
    assert!(said.contains("all is well"), "{said}");
    let change = |tenant: &str, text: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let file = program.folder().join(format!("data/tenants/{tenant}.db"));
            let beside = Database::connect(format!("sqlite://{}", file.display())).await.unwrap();
            beside.execute_unprepared(text).await.unwrap();
            beside.close().await.unwrap();
        });
    };
    change("acme", "DROP TABLE tags; CREATE INDEX mine ON notes (text)");
    change("globex", "ALTER TABLE notes ADD COLUMN extra text");
    let output = program.run(&["check"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(6), "{said}");
    for line in [
        "acme: table tags is missing",
        "acme: index mine is there, template has none",
        "globex: table notes: column extra is there, template has none",
        "2 left to do",
    ] {
        assert!(said.contains(line), "{line} is not in: {said}");
    }
    assert!(!said.contains("initech") && !said.contains("definition"), "{said}");
}
