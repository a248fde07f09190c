//! The two connections that are compared, on a database of each kind.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, StreamTrait, TransactionTrait,
};
use tempfile::TempDir;
use tower::ServiceExt;
use xcore::Instance;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::db::TenantDb;
use xcore_tests::Rig;
use xcore_tests::plugins::notes::NotesContext;

/// What the operations are written for: everything that SeaORM asks of a connection.
pub(crate) trait Handle:
    ConnectionTrait + TransactionTrait<Transaction: StreamTrait> + StreamTrait + Send + Sync
{
    /// The dialect, which two of the traits can tell.
    fn backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(self)
    }
}

impl<C: ConnectionTrait + TransactionTrait<Transaction: StreamTrait> + StreamTrait + Send + Sync> Handle
    for C
{
}

/// SeaORM alone, and the handles of two tenants of an app.
pub(crate) struct Stage {
    pub(crate) bare: DatabaseConnection,
    pub(crate) tenant: TenantDb,
    pub(crate) other: TenantDb,
    pub(crate) app: Instance,
    _folder: TempDir,
}

/// The schema of SeaORM's database has the tenant's name, so that what the server says of it is the same.
const TENANT: &str = "acme";

impl Stage {
    /// A file for SeaORM, with the pragmas that an app's files have, and an app with files of its own.
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bare.db");
        let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", file.display()));
        options.acquire_timeout(Duration::from_millis(300));
        options.map_sqlx_sqlite_opts(|options| options.foreign_keys(true).pragma("journal_mode", "WAL"));
        let bare = Database::connect(options).await.unwrap();
        let url = format!("sqlite://{}", folder.path().join("app").display());
        Self::with(bare, &url, folder).await
    }

    /// Two databases on a server: one for SeaORM, one for an app.
    #[cfg(feature = "postgres")]
    pub(crate) async fn postgres() -> Self {
        let server = xcore_tests::PostgresServer::get();
        let (own, apps) = (server.url().await, server.url().await);
        let admin = Database::connect(&own).await.unwrap();
        admin.execute_unprepared(&format!("CREATE SCHEMA {TENANT}")).await.unwrap();
        let mut options = ConnectOptions::new(own);
        options.acquire_timeout(Duration::from_secs(5));
        options.set_schema_search_path(format!("{TENANT}, public"));
        let bare = Database::connect(options).await.unwrap();
        Self::with(bare, &apps, tempfile::tempdir().unwrap()).await
    }

    async fn with(bare: DatabaseConnection, url: &str, folder: TempDir) -> Self {
        let app = Rig::builder().set("services.database.url", url).build().await.unwrap();
        let (tenant, other) = (context(&app, TENANT).await.db, context(&app, "globex").await.db);
        Self { bare, tenant, other, app, _folder: folder }
    }

    /// The app ends before its folder does.
    pub(crate) async fn end(self) {
        self.app.shutdown().await;
        self.bare.close().await.unwrap();
    }
}

/// What an action of the tenant gets.
async fn context(app: &Instance, tenant: &str) -> NotesContext {
    let request = Request::builder().uri("/own/notes-context").header("x-tenant-id", tenant);
    let Ok(mut response) = app.router().oneshot(request.body(Body::empty()).unwrap()).await;
    response.extensions_mut().remove().unwrap()
}
