//! A program that is killed at a step of a tenant's life, and what is left of its tenants.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

use crate::{Program, Server};

/// Names the step at which a program ends itself.
const FAULT: &str = "XCORE_TEST_FAULT";

/// A program, and the database that it keeps its tenants in.
pub struct Victim {
    /// The program.
    pub program: Program,
    /// On a PostgreSQL server; `None` in files.
    url: Option<String>,
}

impl Victim {
    /// The program with its tenants in files.
    #[must_use]
    pub fn on_sqlite(program: Program) -> Self {
        Self { program, url: None }
    }

    /// The program with its tenants on a server, each with a role of its own.
    #[must_use]
    pub fn on_postgres(program: Program, url: String) -> Self {
        let program = program.set("services.database.url", &url).set("tenancy.db_role", "set_role");
        Self { program, url: Some(url) }
    }

    /// Whether the program can come to this step: not to one of the other backend.
    #[must_use]
    pub fn has(&self, point: &str) -> bool {
        let other = if self.url.is_some() { "sqlite" } else { "postgres" };
        point.split('.').all(|part| part != other)
    }

    /// Runs a command that ends itself at this step; how it ended, and what it said.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run_until(&self, point: &str, arguments: &[&str]) -> (ExitStatus, String) {
        let output = self.program.command(arguments).env(FAULT, point).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8_lossy(&said).into_owned())
    }

    /// Runs a command that must come to this step and end itself there.
    ///
    /// # Panics
    /// When it ends otherwise.
    #[track_caller]
    pub fn dies_at(&self, point: &str, arguments: &[&str]) {
        let (status, said) = self.run_until(point, arguments);
        assert!(has_ended_itself(status), "{arguments:?} does not come to {point}: {status}, {said}");
    }

    /// What the directory says: each tenant with its state.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn directory(&self) -> BTreeMap<String, String> {
        let db = self.directory_database().await;
        let rows = texts(&db, &format!("SELECT id, state FROM {}xcore_tenants", self.prefix())).await;
        db.close().await.unwrap();
        rows.into_iter().map(|mut row| (row.remove(0), row.remove(0))).collect()
    }

    /// What does not belong together: data without a tenant, a tenant without data, keys and domains of nobody, roles of nobody, files
    /// that are left. Nothing, when all is well. For a program that does not run.
    ///
    /// # Panics
    /// When it cannot be looked at.
    pub async fn orphans(&self) -> Vec<String> {
        let mut found = Vec::new();
        let states = self.directory().await;
        let known: BTreeSet<&str> =
            states.keys().map(String::as_str).filter(|name| *name != "public").collect();
        let mut compare = |what: &str, there: &BTreeSet<String>| {
            let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
            found.extend(there.difference(&known).map(|name| format!("{what} of nobody: {name}")));
            found.extend(known.difference(&there).map(|name| format!("no {what} of {name}")));
        };
        match &self.url {
            None => compare("file", &self.program.tenants_on_disk()),
            Some(url) => {
                let db = Database::connect(url).await.unwrap();
                let schemas = "SELECT nspname::text FROM pg_namespace WHERE obj_description(oid, 'pg_namespace') = 'a tenant of xcore'";
                compare("schema", &names(&db, schemas).await);
                let roles = "SELECT substring(d.description from ': (.*)$') FROM pg_shdescription d JOIN pg_roles r ON r.oid = d.objoid \
                             WHERE d.description LIKE 'a tenant of xcore in the database ' || current_database() || ': %'";
                compare("role", &names(&db, roles).await);
                db.close().await.unwrap();
            }
        }
        let db = self.directory_database().await;
        let prefix = self.prefix();
        for table in ["xcore_api_keys", "xcore_domains"] {
            let of_nobody = format!(
                "SELECT tenant FROM {prefix}{table} c WHERE NOT EXISTS \
                 (SELECT 1 FROM {prefix}xcore_tenants t WHERE t.id = c.tenant AND t.life = c.life)"
            );
            found
                .extend(names(&db, &of_nobody).await.iter().map(|name| format!("{table} of nobody: {name}")));
        }
        db.close().await.unwrap();
        if self.url.is_none() {
            let locks = fs::read_dir(self.program.folder().join("data/locks"));
            found.extend(locks.into_iter().flatten().flatten().map(|lock| format!("a lock file: {lock:?}")));
        }
        found
    }

    /// Gives a tenant so many tables that they are dropped in parts.
    ///
    /// # Panics
    /// When it has no schema.
    pub async fn fill(&self, tenant: &str) {
        let db = Database::connect(self.url.as_ref().unwrap()).await.unwrap();
        for first in (0..600).step_by(100) {
            let tables = (first..first + 100)
                .map(|n| format!("CREATE TABLE \"{tenant}\".more{n} (id serial PRIMARY KEY);"));
            db.execute_unprepared(&tables.collect::<String>()).await.unwrap();
        }
        db.close().await.unwrap();
    }

    /// Lets no renaming of `tenant` to `to` succeed, and lets it be begun. On a server something in the schema names it, in files there
    /// is a folder where SQLite would have a log of `to`.
    ///
    /// # Panics
    /// When it has no data.
    pub async fn obstruct(&self, tenant: &str, to: &str) {
        match &self.url {
            None => fs::create_dir(self.log_of(to)).unwrap(),
            Some(url) => {
                let db = Database::connect(url).await.unwrap();
                let text = format!(
                    "CREATE FUNCTION \"{tenant}\".itself() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM \"{tenant}\".notes'"
                );
                db.execute_unprepared(&text).await.unwrap();
                db.close().await.unwrap();
            }
        }
    }

    /// Takes away what [`obstruct`](Self::obstruct) has put there.
    ///
    /// # Panics
    /// When it is not there.
    pub async fn clear(&self, tenant: &str, to: &str) {
        match &self.url {
            None => fs::remove_dir(self.log_of(to)).unwrap(),
            Some(url) => {
                let db = Database::connect(url).await.unwrap();
                db.execute_unprepared(&format!("DROP FUNCTION \"{tenant}\".itself()")).await.unwrap();
                db.close().await.unwrap();
            }
        }
    }

    fn log_of(&self, tenant: &str) -> PathBuf {
        self.program.folder().join(format!("data/tenants/{tenant}.db-wal"))
    }

    /// Starts the program so that it ends itself at this step, if it comes there again; it is stopped when it does not.
    ///
    /// # Panics
    /// When it neither starts nor ends.
    pub fn start_until(&self, point: &str) {
        if let Some(server) = self.serve_until(point) {
            server.kill();
        }
    }

    /// As [`Victim::start_until`], and gives the server when it has started.
    ///
    /// # Panics
    /// As [`Victim::start_until`].
    pub fn serve_until(&self, point: &str) -> Option<Server> {
        self.program.try_serve(&[(FAULT, point)]).ok()
    }

    /// Starts a process that creates, deletes, restores and purges a few names for so long, and says when something is not as it has to be.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn chaos(&self, seed: &str, seconds: u64) -> Child {
        let mut command = self.program.command(&[] as &[&str]);
        command.env(crate::chaos::VARIABLE, format!("{seed} {seconds}"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Sees that each row of the directory is one of a tenant that may be: of a soft-deleted one, and of no other, it is noted what it
    /// was and until when it can be restored.
    ///
    /// # Panics
    /// When one is not.
    pub async fn check_directory(&self) {
        let db = self.directory_database().await;
        let rows = format!(
            "SELECT id, state, CASE WHEN delete_after IS NULL THEN '' ELSE 'until' END, coalesce(state_before, '') FROM {}xcore_tenants",
            self.prefix()
        );
        for row in texts(&db, &rows).await {
            let row: Vec<&str> = row.iter().map(String::as_str).collect();
            let is_legal = match row[1] {
                "soft-deleted" => row[2] == "until" && ["active", "suspended"].contains(&row[3]),
                "provisioning" | "active" | "suspended" | "deleting" | "failed" => row[2..] == ["", ""],
                _ => false,
            };
            assert!(is_legal, "{row:?}");
        }
        db.close().await.unwrap();
    }

    async fn directory_database(&self) -> DatabaseConnection {
        match &self.url {
            Some(url) => Database::connect(url).await.unwrap(),
            None => {
                let file = self.program.folder().join("data/directory.db");
                Database::connect(format!("sqlite://{}", file.display())).await.unwrap()
            }
        }
    }

    fn prefix(&self) -> &'static str {
        if self.url.is_some() { "xcore_directory." } else { "" }
    }
}

/// Whether it was ended by `abort`, and not by an error.
#[cfg(unix)]
fn has_ended_itself(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    const SIGABRT: i32 = 6;
    status.signal() == Some(SIGABRT)
}

#[cfg(not(unix))]
fn has_ended_itself(status: ExitStatus) -> bool {
    !matches!(status.code(), Some(0..=6 | 101))
}

async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<Vec<String>> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    let text = |row: &sea_orm::QueryResult| {
        (0..row.column_names().len()).map(|at| row.try_get_by_index(at).unwrap()).collect()
    };
    rows.iter().map(text).collect()
}

async fn names(db: &DatabaseConnection, sql: &str) -> BTreeSet<String> {
    texts(db, sql).await.into_iter().map(|mut row| row.remove(0)).collect()
}
