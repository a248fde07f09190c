//! Apps to copy tenants between, and what is in a tenant's tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use tempfile::TempDir;
use xcore::app::{TenantError, Transferred};
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::{Instance, TenantId};
use xcore_tests::plugins::wide::WIDE;
use xcore_tests::{Answer, Rig};

/// The tables of a tenant, each as one text.
pub(crate) type Contents = BTreeMap<String, String>;

pub(crate) fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// An app and a folder for its archives.
pub(crate) struct Stage {
    pub(crate) app: Instance,
    folder: TempDir,
    /// The address of the server, when it has one.
    url: Option<String>,
}

impl Stage {
    pub(crate) async fn with(url: Option<String>, keys: &[(&str, &str)]) -> Self {
        WIDE.store(1, Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        let address =
            url.clone().unwrap_or_else(|| format!("sqlite://{}", folder.path().join("data").display()));
        let builder = Rig::builder().set("services.database.url", address);
        let app = keys.iter().fold(builder, |app, (key, value)| app.set(key, *value)).build().await.unwrap();
        Self { app, folder, url }
    }

    pub(crate) async fn sqlite() -> Self {
        Self::with(None, &[]).await
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn export(&self, tenant: &str) -> PathBuf {
        let file = self.file(&format!("{tenant}.tar"));
        self.app.tenants().export(&id(tenant), &file).await.unwrap();
        file
    }

    pub(crate) async fn import(&self, file: &Path, tenant: &str) -> Result<Transferred, TenantError> {
        self.app.tenants().import(file, Some(&id(tenant)), None).await
    }

    /// A session on the tenant's tables that the framework knows nothing of.
    pub(crate) async fn beside(&self, tenant: &str) -> DatabaseConnection {
        match &self.url {
            Some(url) => {
                let option = format!("options=-csearch_path%3D{tenant}");
                let separator = if url.contains('?') { '&' } else { '?' };
                Database::connect(format!("{url}{separator}{option}")).await.unwrap()
            }
            None => {
                let file = self.folder.path().join(format!("data/tenants/{tenant}.db"));
                Database::connect(format!("sqlite://{}", file.display())).await.unwrap()
            }
        }
    }

    pub(crate) async fn run(&self, tenant: &str, text: &str) {
        self.beside(tenant).await.execute_unprepared(text).await.unwrap();
    }

    /// The first column of the first row, as text.
    pub(crate) async fn ask(&self, tenant: &str, text: &str) -> String {
        let rows = ask(&self.beside(tenant).await, text).await;
        rows.into_iter().next().unwrap()
    }

    /// All that is in the tables of a tenant, but for when its migrations were applied.
    pub(crate) async fn contents(&self, tenant: &str) -> Contents {
        let beside = self.beside(tenant).await;
        let is_postgres = beside.get_database_backend() == DbBackend::Postgres;
        let tables = if is_postgres { POSTGRES_TABLES } else { SQLITE_TABLES };
        let mut contents = Contents::new();
        for query in ask(&beside, tables).await {
            let (table, query) = query.split_once('\u{1}').unwrap();
            contents.insert(table.to_owned(), ask(&beside, query).await.join("\n"));
        }
        contents
    }

    pub(crate) async fn status(&self, tenant: &str) -> u16 {
        let request = Request::builder().uri("/v1/notes").header("x-tenant-id", tenant).body(Body::empty());
        let answer: Answer = Rig::through(self.app.router(), request.unwrap()).await;
        answer.status
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        self.app.tenants().list().await.unwrap().iter().map(|record| record.id.to_string()).collect()
    }
}

/// The first column of each row, as text.
pub(crate) async fn ask(beside: &DatabaseConnection, text: &str) -> Vec<String> {
    let rows =
        beside.query_all_raw(Statement::from_string(beside.get_database_backend(), text)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index::<Option<String>>(0).unwrap().unwrap_or_default()).collect()
}

/// Queries for the rows of a table, and for the numbers of a sequence, each behind its name.
const POSTGRES_TABLES: &str = "
    SELECT relname || e'\\x01' || CASE
        WHEN relkind = 'S' THEN format('SELECT last_value || is_called::text FROM %I', relname)
        WHEN relname ~ '^xcore_migrations_' THEN format('SELECT version FROM %I ORDER BY 1', relname)
        ELSE format('SELECT t::text FROM %I t ORDER BY t::text COLLATE \"C\"', relname) END
    FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'm', 'S') ORDER BY 1";

const SQLITE_TABLES: &str = "
    SELECT t.name || char(1) || 'SELECT ' || CASE WHEN t.name LIKE 'xcore_migrations_%' THEN 'version' ELSE
        group_concat('typeof(\"' || c.name || '\") || quote(\"' || c.name || '\")', ' || '','' || ') END
        || ' FROM \"' || replace(t.name, '\"', '\"\"') || '\" ORDER BY 1'
    FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) c
    WHERE t.schema = 'main' AND (t.name NOT LIKE 'sqlite%' OR t.name = 'sqlite_sequence') GROUP BY t.name";

impl Stage {
    /// A session on the directory of tenants, on SQLite.
    pub(crate) async fn directory(&self) -> DatabaseConnection {
        let file = self.folder.path().join("data/directory.db");
        Database::connect(format!("sqlite://{}", file.display())).await.unwrap()
    }
}
